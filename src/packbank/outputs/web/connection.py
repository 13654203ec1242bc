"""One client: its bytes become requests, answers become its bytes, each within bounds of size and time.

A connection holds at most one request and one answer. It is not read while it is being answered, so that a client
that sends and never reads costs what the kernel keeps for it and no more.
"""

from __future__ import annotations

import selectors
import socket
from collections import deque
from enum import Enum
from http import HTTPStatus

import h11

from packbank.outputs.web.messages import Answer, RefusedError, Request

LARGEST_HEAD = 16384  # bytes; browsers send the cookies that other ports of this machine have set
READ_AT_ONCE = 4096  # bytes: what a head may be longer than that before it is noticed
UNSENT = 16384  # bytes that the kernel keeps of what a client has no room for: old values are of no use to it
HEAD_TIME = 10.0  # s for a whole request, however its bytes are spread
IDLE_TIME = 30.0  # s between two requests
ANSWER_TIME = 30.0  # s to take an answer, 10 s a message of a stream
STUCK_TIME = 10.0
LINGER_TIME = 1.0  # s to read an answer after which we hang up


class Phase(Enum):
    """What a connection waits for."""

    REQUEST = "a request"
    ANSWER = "room for the rest of an answer"
    STREAM = "messages"
    GOODBYE = "the client to hang up"
    OVER = "nothing"


class Connection:
    """A client's socket, which must not block; ``read`` and ``write`` are called when it is ready for them."""

    def __init__(self, link: socket.socket, now: float) -> None:
        """``now`` is monotonic, as everywhere here."""
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        self._link = link
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self._rest: deque[memoryview] = deque()
        self._last = False  # hang up after this answer
        self._bare = False  # answer without the body
        self.phase = Phase.REQUEST
        self.deadline = now + HEAD_TIME
        self.seen = 0  # number of the snapshot that was sent last, of a stream

    def fileno(self) -> int:
        """For the selector."""
        return self._link.fileno()

    @property
    def interest(self) -> int:
        """The events of :mod:`selectors` to wait for."""
        return selectors.EVENT_WRITE if self._rest else selectors.EVENT_READ

    @property
    def over(self) -> bool:
        """Whether we have hung up."""
        return self.phase is Phase.OVER

    @property
    def ready(self) -> bool:
        """Whether a stream has taken all that it was sent."""
        return not self._rest

    def close(self) -> None:
        """Hang up."""
        self.phase = Phase.OVER
        self._link.close()

    def read(self, now: float) -> Request | None:
        """Take what has come: a request when it is whole. Raises RefusedError when it is none or too large."""
        try:
            data = self._link.recv(READ_AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if self.phase is not Phase.REQUEST:
            if not data or self.phase is Phase.STREAM:  # who listens to a stream has nothing to say
                self.close()
            return None
        if not data:
            self.close()
            return None
        if self._protocol.trailing_data == (b"", False):
            self.deadline = min(self.deadline, now + HEAD_TIME)
        self._protocol.receive_data(data)
        return self._request()

    def next(self) -> Request | None:
        """The request that came along with the last one, once that is answered; as :meth:`read`."""
        return self._request() if self.phase is Phase.REQUEST else None

    def send(self, answer: Answer, now: float) -> None:
        """Answer the request, as far as there is room now."""
        refused = answer.status >= HTTPStatus.BAD_REQUEST and answer.status is not HTTPStatus.NOT_FOUND
        self._last = refused or self._protocol.their_state is not h11.DONE
        close = [("Connection", "close")] if self._last or answer.stream else []
        head = h11.Response(
            status_code=answer.status, headers=[*answer.head, *close], reason=answer.status.phrase.encode()
        )
        self._put(self._protocol.send(head))
        if answer.stream and not self._bare:
            self.phase, self.deadline = Phase.STREAM, now + STUCK_TIME
        else:
            self.phase, self.deadline = Phase.ANSWER, now + ANSWER_TIME
            if answer.body and not self._bare:
                self._put(*self._framed(answer.body))
            self._put(self._protocol.send(h11.EndOfMessage()))
        self.write(now)

    def add(self, message: bytes, number: int, now: float) -> None:
        """Send the message of snapshot ``number`` on a stream that is :attr:`ready`."""
        self.seen, self.deadline = number, now + STUCK_TIME
        self._put(*self._framed(message))
        self.write(now)

    def write(self, now: float) -> None:
        """Send what there is room for."""
        try:
            while self._rest:
                sent = self._link.send(self._rest[0])
                if sent < len(self._rest[0]):
                    self._rest[0] = self._rest[0][sent:]
                    return
                self._rest.popleft()
        except BlockingIOError:
            return
        except OSError:  # it has gone
            self.close()
            return
        if self.phase is Phase.ANSWER:
            self._after_answer(now)

    def overdue(self, now: float) -> bool:
        """Whether its time is over. A stream that has taken everything waits for us, not we for it."""
        return now > self.deadline and not (self.phase is Phase.STREAM and self.ready)

    def _request(self) -> Request | None:
        try:
            head = self._protocol.next_event()
            if not isinstance(head, h11.Request):
                return None  # more is to come
            end = self._protocol.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            raise RefusedError(status, f"this is no request that can be answered: {error}") from None
        if not isinstance(end, h11.EndOfMessage):
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "nothing can be sent here: ask without a body")
        path, _, query = head.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        self._bare = head.method == b"HEAD"
        return Request(head.method.decode("latin-1"), path, query, headers)

    def _framed(self, body: bytes) -> list[bytes]:
        """``body`` with its frame around it; never a copy, since others are sent the same."""
        return list(self._protocol.send_with_data_passthrough(h11.Data(data=body)) or ())

    def _put(self, *parts: bytes | None) -> None:
        self._rest.extend(memoryview(part) for part in parts if part)

    def _after_answer(self, now: float) -> None:
        if self._last or self._protocol.our_state is not h11.DONE:
            self.phase, self.deadline = Phase.GOODBYE, now + LINGER_TIME
            try:
                self._link.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()
            return
        self._protocol.start_next_cycle()
        self.phase, self.deadline = Phase.REQUEST, now + IDLE_TIME
