"""What families have in common whose questions stand in a table: what a pack is asked, and what its answers fill."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from typing import Protocol as Structure

from packbank.bms import trust
from packbank.bms.memory import Memories, Memory
from packbank.bms.protocol import Protocol, Row, Topic
from packbank.model.identity import Identity


class Filling(Structure):
    """A question of a table, as far as all families have the same."""

    def fill(self, data: bytes, row: Row, identity: Identity, /) -> Identity:
        """Decode an answer, as :meth:`Protocol.decode`."""


class AskingProtocol(Protocol):
    """Packs that may not answer every question; what each answers is remembered."""

    asked: Mapping[str, Filling]  # the questions by their names, of all topics
    essential: Collection[str]  # questions without which there is no status
    leads: bool = (
        False  # the first question about settings, or about the pack, says whether the others are worth asking
    )
    _memories: Memories[Memory[Any]]

    def questions_to(self, address: int, topic: Topic) -> Iterable[str]:
        """As :meth:`Protocol.questions_to`: rarely what this pack has never answered."""
        memory, status = self._memories.of(address), topic is Topic.STATUS
        memory.rounds += status
        leader = self.leads and not status
        return memory.worth_asking(self.questions[topic], tuple(self.essential), leader=leader)

    def may_lack(self, address: int, question: str) -> bool:
        """As :meth:`Protocol.may_lack`."""
        return question not in self.essential and question not in self._memories.of(address).answered

    def ways_to_ask(self, address: int) -> int:
        """As :meth:`Protocol.ways_to_ask`."""
        return len(self._memories.of(address).ways)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        del address
        return self.asked[question].fill(data, row, identity)

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""
        trust.check(row, previous)
