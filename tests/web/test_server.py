"""The server and its clients, good and bad, over real sockets."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import enumerate as threads

import pytest

pytest.importorskip("h11", reason="the web page is an extra: pip install packbank[web]")

import h11

from packbank.errors import LinkError
from packbank.outputs.web import connection, server
from packbank.outputs.web.connection import Phase
from packbank.outputs.web.server import Ration
from web_bench import Bench, Client

STREAM = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def web() -> Iterator[Bench]:
    bench = Bench()
    try:
        yield bench
    finally:
        bench.close()


def serves(web: Bench) -> None:
    """Somebody else is served, and the stream goes on."""
    assert web.json("/api/snapshot?pack=1")["packs"][0]["name"] == "pack 1"
    events = web.client().events()
    next(events)
    wanted = web.show().time
    assert any(message["time"] >= wanted for _, message in islice(events, 3))


def test_a_stream_begins_whole_and_goes_on_with_changes(web: Bench) -> None:
    events = web.client().events()
    kind, whole = next(events)
    assert kind == "whole"
    assert [name for name, _, _ in whole["packs"]] == ["pack 1", "pack 2", "pack 3"]
    for _ in range(3):
        shown = web.show()
        kind, change = next(events)
        assert (kind, change["time"], change["rows"]) == ("change", shown.time, {})


def test_every_stream_is_sent_the_same_bytes(web: Bench) -> None:
    streams = [web.client().events() for _ in range(5)]
    assert len({str(next(events)) for events in streams}) == 1
    web.show()
    assert len({str(next(events)) for events in streams}) == 1


def test_a_stream_that_missed_a_message_is_sent_the_whole(web: Bench) -> None:
    site = web.output._site
    assert site is not None
    first, number = site.message(0)
    web.show()
    site.message(number)
    web.show()
    message, _ = site.message(number)
    assert message.startswith(b"event: whole")
    assert b"retry" in first


def test_requests_share_a_connection(web: Bench) -> None:
    client = web.client()
    for target in ("/", "/api/history", "/nothing", "/metrics"):
        client.get(target)
    client.send(b"GET /metrics?cells=0 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
    for _ in range(5):
        assert client.answer().status_code == 200
        assert client.body


def test_head_has_the_length_and_no_body(web: Bench) -> None:
    client = web.client()
    size = dict(client.get("/", method="HEAD").headers)[b"content-length"]
    assert client.body == b""
    client.get("/")
    assert len(client.body) == int(size)


def test_an_old_client_without_keep_alive(web: Bench) -> None:
    client = web.client()
    client.send(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert client.answer().status_code == 200
    assert client.hung_up()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 413),
        (b"POST /api/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /" + b"x" * 30000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"Cookie: x=y\r\n" * 3000 + b"\r\n", 431),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(web: Bench, data: bytes, status: int) -> None:
    client = web.client()
    client.send(data)
    answer = client.answer()
    assert answer.status_code in {status, 400}
    assert answer.status_code == status or status in {431, 505}
    assert len(client.body) > 10
    assert client.hung_up()
    serves(web)


@pytest.mark.parametrize(
    "target",
    [
        "/../config.ini",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/page/index.html",
        "/\\..\\",
        "http://x/",
        "/.",
        "*",
    ],
)
def test_there_are_no_paths_but_those_of_the_table(web: Bench, target: str) -> None:
    assert web.client().get(target).status_code == 404


def test_large_cookies_of_other_ports_are_no_trouble(web: Bench) -> None:
    assert web.client().get("/", Cookie="x=" + "y" * 12000).status_code == 200


def test_half_open_connections_keep_nobody_out(web: Bench) -> None:
    held = [web.client() for _ in range(200)]
    for number, client in enumerate(held):
        try:
            client.send([b"", b"G", b"GET / HTTP/1.1\r\nHost: lo"][number % 3])
        except ConnectionError:
            continue
    serves(web)
    assert web.output._server is not None
    assert len(web.output._server._clients) <= server.CONNECTIONS


def test_streams_are_counted(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STREAMS", 3)
    streams = [web.client().events() for _ in range(3)]
    for events in streams:
        next(events)
    last = web.client()
    assert last.get("/events").status_code == 503
    assert b"close one" in last.body


def test_who_takes_too_long_is_dropped(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_TIME", "IDLE_TIME", "LINGER_TIME"):
        monkeypatch.setattr(connection, name, 0.05)
    monkeypatch.setattr(server, "LOOK_EVERY", 0.05)
    slow = web.client()
    slow.send(b"GET / HTT")
    idle = web.client()
    idle.get("/metrics")
    assert slow.hung_up()
    assert idle.hung_up()


def test_a_stream_that_waits_for_us_is_not_dropped(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_TIME", "STUCK_TIME"):
        monkeypatch.setattr(connection, name, 0.05)
    monkeypatch.setattr(server, "LOOK_EVERY", 0.02)
    events = web.client().events()
    next(events)
    time.sleep(0.3)
    web.show()
    assert next(events)[0] == "change"


def test_readers_that_never_read_are_dropped_and_hold_little(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STUCK_TIME", 0.2)
    monkeypatch.setattr(connection, "ANSWER_TIME", 0.2)
    monkeypatch.setattr(server, "LOOK_EVERY", 0.05)
    assert web.output._server is not None
    clients = web.output._server._clients
    stuck = []
    for number in range(20):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", web.output.port))
        link.sendall(STREAM if number % 2 else b"GET /api/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200)
        stuck.append(link)
    web.json("/api/snapshot?pack=1")  # who came before has been taken in
    web.until(lambda: not [one for one in list(clients) if one.phase is Phase.STREAM or not one.ready])
    for link in stuck:
        with link, suppress(ConnectionError):
            while link.recv(1 << 16):  # what the kernel still had, then the end
                pass
    serves(web)


def test_who_goes_in_the_middle_costs_nothing(web: Bench) -> None:
    for _ in range(30):
        client = web.client()
        client.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.send(STREAM)
        client.link.close()  # with a reset
        web.show()
    serves(web)


def test_a_fault_of_ours_costs_one_connection_and_a_line(
    web: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = web.output._site
    assert site is not None
    with monkeypatch.context() as patched:
        patched.setitem(site._routes, "/metrics", lambda _query, _request: 1 // 0)
        for _ in range(3):
            client = web.client()
            client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.hung_up()
    assert caplog.text.count("a request failed (ZeroDivisionError") == 1
    serves(web)


def test_a_server_that_ends_is_reported_and_started_again(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    site = web.output._site
    assert site is not None
    events = web.client().events()
    next(events)
    with monkeypatch.context() as patched:
        patched.setattr(type(site), "refresh", lambda _self: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            web.until(lambda: False)
    web.show()
    serves(web)


def test_a_port_that_is_taken_is_named(web: Bench) -> None:
    with pytest.raises(LinkError, match=r"LISTEN = 127\.0\.0\.1:\d+ cannot be used: Address already in use"):
        Bench(f"127.0.0.1:{web.output.port}")


def test_ipv6() -> None:
    try:
        web = Bench("[::1]:0")
    except LinkError:
        pytest.skip("this machine has no IPv6")
    try:
        link = socket.create_connection(("::1", web.output.port))
        link.sendall(b"GET /metrics HTTP/1.0\r\nHost: [::1]:80\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        link.close()
    finally:
        web.close()


def bells() -> int:
    """How many eventfds this process has."""
    links = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("eventfd" in name for name in links)


def test_the_end_leaves_nothing() -> None:
    before = bells()
    web = Bench()
    client = web.client()
    events = client.events()
    next(events)
    port = web.output.port
    web.output.close()
    with pytest.raises(h11.RemoteProtocolError):  # a stream has no end of its own
        list(events)
    assert not [thread for thread in threads() if thread.name == "output web"]
    with pytest.raises(ConnectionRefusedError):
        Client(port)
    assert bells() == before
    client.link.close()


def test_the_ration_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0, "used": 5.0}
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(time, "thread_time", lambda: clock["used"])
    monkeypatch.setattr(time, "sleep", slept.append)
    ration = Ration(0.25)
    clock["now"] = 101.0
    ration.begin()
    clock.update(now=101.2, used=5.2)
    ration.wait()
    assert slept == []
    clock.update(now=101.4, used=5.26)
    ration.wait()
    assert slept == [pytest.approx(0.6)]
    clock["now"] = 102.0
    ration.begin()
    ration.wait()
    assert len(slept) == 1


def test_every_answer_has_the_headers_that_guard_it(web: Bench) -> None:
    for target, host in (
        ("/", "localhost"),
        ("/metrics", "localhost"),
        ("/nothing", "localhost"),
        ("/", "evil.example"),
    ):
        headers = dict(web.client().get(target, host).headers)
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        assert b"unsafe" not in headers[b"content-security-policy"]
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert b"access-control-allow-origin" not in headers


def test_readers_that_never_read_keep_nobody_out(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 6)
    stuck = []
    for _ in range(12):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", web.output.port))
        link.sendall(b"GET /uPlot.iife.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        stuck.append(link)
    serves(web)
    for link in stuck:
        link.close()
