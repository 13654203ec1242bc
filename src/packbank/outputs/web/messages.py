"""Requests and answers as plain values, and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"

# The page's own scripts and styles and nothing else; no frame around it, nothing sent elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_FRESH = ("Cache-Control", "no-store")


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for. ``headers`` by name in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets; a stream has no ``body`` and no end."""

    body: bytes = b""
    kind: str = TEXT
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = (_FRESH,)
    stream: bool = False

    @property
    def head(self) -> list[tuple[str, str]]:
        """All headers but ``Connection``; the length is that of the whole body, also for HEAD."""
        length = (
            () if self.stream or self.status is HTTPStatus.NOT_MODIFIED else (("Content-Length", f"{len(self.body)}"),)
        )
        return [("Content-Type", self.kind), *length, *self.headers, *_ALWAYS]


class RefusedError(Exception):
    """Ends a request with a status and a text that says what to do."""

    def __init__(self, status: HTTPStatus, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers

    @property
    def answer(self) -> Answer:
        """What the client gets."""
        return Answer(f"{self}\n".encode(), TEXT, self.status, (*self.headers, _FRESH))
