"""What strangers may do to the web page: each attack goes on until it is over, as fast as one process can."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event

CHUNK = 65536
ASK = b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n"


def _connect(port: int) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", port), 5.0)
    link.settimeout(1.0)
    return link


def _exchange(port: int, data: bytes) -> bytes:
    """Send ``data`` and read until the other side hangs up or says nothing for a second."""
    answer = b""
    with suppress(OSError), _connect(port) as link:
        link.sendall(data)
        while part := link.recv(CHUNK):
            answer += part
    return answer


def half_open(port: int, over: Event) -> None:
    """200 connections that say part of a request; who is dropped comes again."""
    held: list[socket.socket] = []
    while not over.wait(0.002):
        if len(held) >= 200:
            held.pop(0).close()
        with suppress(OSError):
            link = _connect(port)
            held.append(link)
            link.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    for link in held:
        link.close()


def never_read(port: int, over: Event) -> None:
    """30 clients that ask for streams and large answers, and read nothing."""
    held: list[socket.socket] = []
    while not over.wait(0.02):
        if len(held) >= 30:
            held.pop(0).close()
        with suppress(OSError):
            link = socket.socket()
            held.append(link)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.settimeout(1.0)
            link.connect(("127.0.0.1", port))
            link.sendall(ASK % (b"/events" if len(held) % 2 else b"/api/snapshot", b"localhost") * 20)
    for link in held:
        link.close()


def large_heads(port: int, over: Event) -> None:
    """Heads of 10 MB."""
    while not over.is_set():
        with suppress(OSError), _connect(port) as link:
            link.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            for _ in range(160):
                link.sendall(b"x" * CHUNK)


def foreign_hosts(port: int, over: Event) -> None:
    """Names that are not ours, and paths that lead out."""
    while not over.is_set():
        assert b" 200 " not in _exchange(port, ASK % (b"/api/snapshot", b"evil.example"))
        for path in (b"/../../etc/passwd", b"/%2e%2e/config.ini", b"//etc/passwd", b"/..%5cconfig.ini"):
            assert b" 200 " not in _exchange(port, b"GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path)


def garbage(port: int, over: Event) -> None:
    """Bytes without a meaning, and requests that are damaged."""
    dice = random.Random(1)
    while not over.is_set():
        data = bytearray(ASK % (b"/api/snapshot?pack=1", b"localhost"))
        if dice.random() < 0.5:
            data = bytearray(dice.randbytes(dice.randrange(1, 5000)))
        else:
            for _ in range(dice.randrange(1, 6)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        with suppress(OSError), _connect(port) as link:
            link.sendall(data)
            link.settimeout(0.01)
            link.recv(CHUNK)


def flood(port: int, over: Event) -> None:
    """Right requests without a pause, for what costs most to make."""
    data = b"".join(ASK % (path, b"localhost") for path in (b"/api/snapshot", b"/metrics", b"/api/history", b"/"))
    while not over.is_set():
        with suppress(OSError), _connect(port) as link:
            while not over.is_set():
                link.sendall(data)
                link.recv(1 << 20)


ATTACKS: tuple[Callable[[int, Event], None], ...] = (
    half_open,
    never_read,
    large_heads,
    foreign_hosts,
    garbage,
    flood,
)
