"""A gateway of this machine from TCP to a simulated bus, plain or by RFC 2217."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tty
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

from serial import serial_for_url
from serial.rfc2217 import PortManager


@contextlib.contextmanager
def gateway(terminal: Path, *, rfc2217: bool) -> Iterator[int]:
    """Serve one connection to ``terminal`` after the other; the TCP port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_serve, args=(server, terminal, rfc2217))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, terminal: Path, rfc2217: bool) -> None:
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    with contextlib.suppress(OSError):  # the server's end
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(ConnectionError):
                _relay(connection, descriptor, rfc2217)
    os.close(descriptor)


class _Sender:
    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall


def _relay(connection: socket.socket, descriptor: int, rfc2217: bool) -> None:
    port = serial_for_url("loop://")  # takes what the client sets; the bytes go past it
    manager = PortManager(port, _Sender(connection)) if rfc2217 else None  # type: ignore[arg-type]
    with port:
        while True:
            ready, _, _ = select.select([connection.fileno(), descriptor], [], [])
            if connection.fileno() in ready:
                data = connection.recv(4096)
                if not data:
                    return
                os.write(descriptor, b"".join(manager.filter(data)) if manager else data)
            if descriptor in ready:
                data = os.read(descriptor, 4096)
                connection.sendall(b"".join(manager.escape(data)) if manager else data)
