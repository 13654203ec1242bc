"""A thread with a selector that serves a handful of clients, and is never waited for by anybody.

What a client can cost is bounded: how many there are, how long and how large a request may be, how long an answer may
take, and how much of the processor all of them get together.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from threading import Thread
from typing import Protocol

from packbank.errors import LinkError
from packbank.outputs.web.connection import Connection, Phase
from packbank.outputs.web.messages import Answer, RefusedError, Request
from packbank.trouble import Trouble

CONNECTIONS = 40  # a browser opens up to six
STREAMS = 20  # fewer than connections, or nobody else would find room
BACKLOG = 128  # that wait in the kernel: one more would be made to wait for a second
ACCEPTED_AT_ONCE = 8
LOOK_EVERY = 1.0  # s between two looks at the clients' deadlines
SHARE = 0.25  # of one processor, that clients may cost
BUSY = HTTPStatus.SERVICE_UNAVAILABLE

Take = Callable[[], Request | None]


class Service(Protocol):
    """What is served; called in the server's thread only."""

    def answer(self, request: Request) -> Answer:
        """The answer to ``request``. Raises RefusedError."""

    def refresh(self) -> None:
        """There may be something new."""

    def message(self, seen: int) -> tuple[bytes, int]:
        """What a stream whose last message was of snapshot ``seen`` (0: none) is to be sent now, and its number."""


class Server:
    """Serves until it is closed."""

    def __init__(self, name: str, service: Service, address: tuple[str, int]) -> None:
        """Listen at ``address`` (numbers and port). Raises LinkError when that cannot be."""
        self._service = service
        self._listener = _listen(address)
        self.port: int = self._listener.getsockname()[1]
        self._trouble = Trouble(name)
        self._selector = selectors.DefaultSelector()
        self._clients: set[Connection] = set()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ending = False
        self._looked = 0.0
        self._ration = Ration(SHARE)
        self.error: Exception | None = None  # what has ended the thread
        self.streams = 0  # read by other threads
        self._thread = Thread(target=self._run, name=f"output {name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have the service refreshed and every stream sent its message. From any thread; returns at once."""
        with suppress(BlockingIOError):  # it rings already
            os.eventfd_write(self._bell, 1)

    def close(self, timeout: float) -> None:
        """Hang up on everybody and end."""
        self._ending = True
        self.wake()
        self._thread.join(timeout)
        if not self._thread.is_alive():
            os.close(self._bell)

    def _run(self) -> None:
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._bell, selectors.EVENT_READ)
            while not self._ending:
                self._turn()
        except Exception as error:  # noqa: BLE001 -- given to whoever looks at us
            self.error = error
        finally:
            for client in list(self._clients):
                self._drop(client)
            self._selector.close()
            self._listener.close()

    def _turn(self) -> None:
        ready = self._selector.select(LOOK_EVERY if self._clients else None)
        self._ration.begin()
        for key, events in ready:
            if isinstance(key.fileobj, Connection):
                self._serve(key.fileobj, events)
            elif key.fileobj is self._listener:
                self._accept()
            else:
                os.eventfd_read(self._bell)
                self._service.refresh()
                self._broadcast()
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            for client in [client for client in self._clients if client.overdue(now)]:
                self._drop(client)
        self.streams = sum(client.phase is Phase.STREAM for client in self._clients)
        self._ration.wait()

    def _accept(self) -> None:
        """Take in who has come. When there are too many, who keeps us waiting goes: for a request, or for room."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client = Connection(self._listener.accept()[0], time.monotonic())
            except OSError:  # nobody more, or one that has gone already, or no descriptor is left
                return
            if len(self._clients) >= CONNECTIONS:
                waited_for = [one for one in self._clients if one.phase is not Phase.STREAM or not one.ready]
                self._drop(min(waited_for, key=lambda one: (not one.ready, one.deadline)))
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ)
            self._serve(client, selectors.EVENT_READ)  # what it wants is mostly there already

    def _serve(self, client: Connection, events: int) -> None:
        """Let a client get on; whatever it does costs its own connection and no more."""
        if client.over:  # dropped in this turn
            return
        now = time.monotonic()
        try:
            if events & selectors.EVENT_WRITE:
                client.write(now)
                self._answer(client, client.next, now)
            if events & selectors.EVENT_READ and not client.over:
                self._answer(client, lambda: client.read(now), now)
        except Exception as error:  # noqa: BLE001 -- a fault of ours that somebody's request has shown
            self._trouble.say(now, f"a request failed ({type(error).__name__}: {error}); its connection is closed")
            client.close()
        self._settle(client)

    def _answer(self, client: Connection, take: Take, now: float) -> None:
        """Answer the request that ``take`` gives, and what came along with it."""
        while True:
            try:
                request = take()
                if request is None:
                    return
                answer = self._service.answer(request)
                if answer.stream and self.streams >= STREAMS:
                    raise RefusedError(BUSY, "too many pages are open: close one", ("Retry-After", "5"))
            except RefusedError as refused:
                answer = refused.answer
            client.send(answer, now)
            if client.phase is Phase.STREAM:
                self.streams += 1
                self._update(client, now)
            take = client.next

    def _broadcast(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients if client.phase is Phase.STREAM]:
            self._update(client, now)
            self._settle(client)

    def _update(self, client: Connection, now: float) -> None:
        """Send the newest message, unless the one before is still on its way."""
        if client.ready:
            message, number = self._service.message(client.seen)
            if number != client.seen:
                client.add(message, number, now)

    def _settle(self, client: Connection) -> None:
        """Wait for what the client is to do next, or forget it."""
        if client.over:
            self._forget(client)
        elif self._selector.get_key(client).events != client.interest:
            self._selector.modify(client, client.interest)

    def _drop(self, client: Connection) -> None:
        self._forget(client)
        client.close()

    def _forget(self, client: Connection) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client)


class Ration:
    """Keeps a thread within its share of a processor, over each second: it sleeps where it has had more."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._since = time.monotonic()
        self._used = 0.0

    def begin(self) -> None:
        """Begin a new second where the last one is over."""
        now = time.monotonic()
        if now - self._since >= 1.0:
            self._since, self._used = now, time.thread_time()

    def wait(self) -> None:
        """Sleep until the second is over, if its share is used up."""
        if time.thread_time() - self._used > self._share:
            time.sleep(max(0.0, self._since + 1.0 - time.monotonic()))


def _listen(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        shown = f"[{address[0]}]:{address[1]}" if family is socket.AF_INET6 else f"{address[0]}:{address[1]}"
        raise LinkError(f"[web] LISTEN = {shown} cannot be used: {error.strerror}; write another") from error
    return listener
