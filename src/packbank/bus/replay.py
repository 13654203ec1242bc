"""Drive the chain from recorded traffic: our own captures, and traces of a bus made with other tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packbank.bms.protocol import Exchange, Heard, Identity, Overhearing, Protocol, Row, Topic
from packbank.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes of one bus at ``time`` (s, of the recording's clock)."""

    time: float
    bus: str
    sent: bool  # by the recorder itself
    data: bytes


def read_events(path: Path) -> Iterator[Event]:
    """The events of a recording in its own order. Raises ConfigError that names the line that cannot be read.

    Lines are those of :mod:`packbank.bus.capture`, or of a trace with ``capture``, ``t_end_ms`` and ``hex``.
    """
    with _open(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                if isinstance(record, dict) and "hex" in record:
                    yield _event(record)
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}, line {number}: not a line of a capture ({error!r})") from error


def read_protocols(path: Path) -> dict[str, str]:
    """The protocol of each bus, where the recording says it."""
    with _open(path) as lines:
        headers = (json.loads(line) for line in lines if '"protocol"' in line)
        return {header["bus"]: header["protocol"] for header in headers}


def _open(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _event(record: Mapping[str, Any]) -> Event:
    data = bytes.fromhex(record["hex"])
    if "capture" in record:
        return Event(record["t_end_ms"] / 1000.0, record["capture"], sent=False, data=data)
    return Event(record["t"], record["bus"], sent=record["dir"] == "tx", data=data)


class RecordedEar(Overhearing):
    """Understands a recording of our own polling, of any protocol: what was sent says whose answer comes next."""

    def __init__(self, protocol: Protocol) -> None:
        self.rejected = []
        self._protocol = protocol
        self._asked = {
            protocol.exchange(question, address).request: (topic, question, address)
            for topic, questions in protocol.questions.items()
            for question in questions
            for address in protocol.addresses
        }
        self._now: tuple[Topic, int] | None = None
        self._exchange: Exchange | None = None
        self._answers: dict[str, Exchange] = {}

    def send(self, request: bytes) -> None:
        """The recorder sent this."""
        self._settle()
        if request not in self._asked:
            self._exchange = None
            return
        topic, question, address = self._asked[request]
        if (topic, address) != self._now or question == self._protocol.questions[topic][0]:
            self._answers = {}
        self._now = topic, address
        self._exchange = self._answers[question] = self._protocol.exchange(question, address)

    def feed(self, data: bytes, now: float | None = None) -> list[Heard]:  # noqa: ARG002
        """As :meth:`Overhearing.feed`."""
        if self._exchange is None or self._now is None or not self._exchange.feed(data):
            return []
        self._exchange = None
        topic, address = self._now
        if tuple(self._answers) != tuple(self._protocol.questions[topic]):
            return []
        return [Heard(address, topic, _all(tuple(self._answers.values())))]

    def _settle(self) -> None:
        if self._exchange is not None:
            self._exchange.feed(b"")
            self.rejected += self._exchange.rejected


def _all(exchanges: Iterable[Exchange]) -> Any:
    def apply(row: Row, identity: Identity) -> Identity:
        for exchange in exchanges:
            identity = exchange.apply(row, identity)
        return identity

    return apply
