"""What tests of the web output share: an output that is driven by hand, and plain sockets that ask it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import h11

from packbank.config.model import WebConfig
from packbank.model.snapshot import Snapshot
from packbank.outputs.web.output import WebOutput
from patience import PATIENCE, until
from served import bank

CHUNK = 65536


class Client:
    """A plain connection that sends what a test wants."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.unread = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def send(self, data: bytes) -> None:
        self.link.sendall(data)

    def get(self, target: str, host: str = "127.0.0.1", method: str = "GET", **headers: str) -> h11.Response:
        """Ask, and read the whole answer, whose body is then :attr:`body`."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())
        return self.answer(method)

    def answer(self, method: str = "GET") -> h11.Response:
        """Read one answer."""
        protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        protocol.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        protocol.send(h11.EndOfMessage())
        if self.unread:
            protocol.receive_data(self.unread)
        response, body = None, b""
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(self.link.recv(CHUNK))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        self.unread, self.body = protocol.trailing_data[0], body
        assert response is not None
        return response

    def events(self) -> Iterator[tuple[str, Any]]:
        """Ask for the stream; each message with its name, as long as there are any."""
        self.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for text in self._messages():
            fields = dict(line.split(": ", 1) for line in text.split("\n"))
            if "data" in fields:
                yield fields["event"], json.loads(fields["data"])

    def _messages(self) -> Iterator[str]:
        protocol = h11.Connection(h11.CLIENT)
        protocol.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        protocol.send(h11.EndOfMessage())
        text = b""
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(self.link.recv(CHUNK))
            elif isinstance(event, h11.Data):
                *messages, text = (text + event.data).split(b"\n\n")
                yield from (message.decode() for message in messages)
            elif isinstance(event, h11.EndOfMessage):
                return

    def hung_up(self) -> bool:
        """Wait for the other side to end the connection."""
        try:
            while self.link.recv(CHUNK):
                pass
        except ConnectionError:
            pass
        return True


class Bench:
    """An output with its clients."""

    def __init__(self, listen: str = "127.0.0.1:0", hosts: tuple[str, ...] = ()) -> None:
        self.output = WebOutput(WebConfig(listen=listen, hosts=hosts))
        self.snapshot = bank()
        self._clients: list[Client] = []
        self.show()

    def show(self, **changes: Any) -> Snapshot:
        """The next second."""
        shown = self.snapshot
        later = {"number": shown.number + 1, "time": shown.time + 1.0, "wall": shown.wall + 1.0}
        self.snapshot = replace(shown, **(later | changes))
        self.output.show(self.snapshot)
        return self.snapshot

    def client(self) -> Client:
        client = Client(self.output.port)
        self._clients.append(client)
        return client

    def json(self, target: str) -> Any:
        client = self.client()
        answer = client.get(target)
        assert answer.status_code == 200, client.body
        return json.loads(client.body)

    def until(self, condition: Callable[[], object]) -> None:
        """Let seconds pass until ``condition`` holds."""
        until(condition, meanwhile=self.show)

    def close(self) -> None:
        self.output.close()
        for client in self._clients:
            client.link.close()
