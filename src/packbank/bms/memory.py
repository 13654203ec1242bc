"""What is remembered of the packs of one bus: how each wants to be asked, and what it answers at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

PATIENCE = 4  # times that a question may be left unanswered before it is asked more rarely
RARELY = 10  # rounds
FORGET_AFTER = 20  # questions left unanswered one after the other: a pack that returns then may be another one

W = TypeVar("W")
M = TypeVar("M", bound="Memory[Any]")


@dataclass(slots=True)
class Memory(Generic[W]):
    """What is remembered of one pack."""

    ways: list[W]  # in which it may want to be asked, the next one first; only one once it has answered
    answered: set[str] = field(default_factory=set)  # questions
    unanswered: Counter[str] = field(default_factory=Counter)  # times, of questions that it never answered
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of its last answer to a question
    rounds: int = 0
    silent: int = 0  # questions since the last answer

    def ask(self, question: str) -> W:
        """The way to ask it now; the next time it is the next one."""
        self.unanswered[question] += question not in self.answered
        self.silent += 1
        way = self.ways.pop(0)
        self.ways.append(way)
        return way

    def answer(self, question: str, way: W, size: int) -> None:
        """It answered, when it was asked in this way, with so many bytes."""
        self.ways = [way]
        self.answered.add(question)
        self.sizes[question] = size
        self.silent = 0

    def worth_asking(self, questions: Sequence[str], essential: Sequence[str], *, leader: bool) -> Iterator[str]:
        """Those of ``questions`` that it may answer: now and then all, else none that it has long left unanswered.

        With a ``leader`` the others are not asked before the first was answered.
        """
        rare = self.rounds % RARELY == 0
        for question in questions:
            known = question in self.answered or question in essential
            if leader and question != questions[0] and questions[0] not in self.answered:
                return
            if known or rare or self.unanswered[question] < PATIENCE:
                yield question


class Memories(dict[int, M]):
    """The packs by their addresses; one that has long been silent is forgotten."""

    def __init__(self, make: Callable[[int], M], forget_after: int = FORGET_AFTER) -> None:
        super().__init__()
        self._make = make
        self._forget_after = forget_after

    def of(self, address: int) -> M:
        """What is remembered of the pack at ``address``."""
        if address not in self or self[address].silent > self._forget_after:
            self[address] = self._make(address)
        return self[address]
