"""What ``packbank doctor`` finds: one line each, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a finding is to be taken; only ``WRONG`` makes the exit code 1."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page, with its remedy where something can or must be done."""

    verdict: Verdict
    text: str
    remedy: str = ""

    def lines(self) -> str:
        """As it is printed."""
        remedy = f"\n        -> {self.remedy}" if self.remedy else ""
        return f"  {self.verdict:<5} {self.text}{remedy}"


def ok(text: str) -> Finding:
    """Something is as it should be."""
    return Finding(Verdict.OK, text)


def note(text: str, remedy: str = "") -> Finding:
    """Something worth knowing."""
    return Finding(Verdict.NOTE, text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    """Something that has to be put right."""
    return Finding(Verdict.WRONG, text, remedy)
