"""Every real frame of every family, put to every question of every family: nobody takes another's answer.

Whole, cut off, without a beginning, and two frames behind each other, as a line with collisions brings them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

import pytest

from other_bms import blank
from packbank.bms import registry
from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.lookalikes import look_alike
from packbank.bms.protocol import Exchange, Protocol, Topic
from packbank.cext.framing import FRAME_SIZE, acknowledgement
from packbank.errors import FrameError
from packbank.model.identity import Identity
from shared import SHARED, needs_shared

pytestmark = needs_shared

FILES = ("more_bms", "other_bms", "jkpb")
OWNERS = {  # who reads the frames of a make; all others have the name of their family
    "boqiang": "pace",
    "pylon35": "pylontech",
    "jbd_up": "jbd-up",
    "seplosv3": "seplos-v3",
    "eg4_lifepower": "eg4",
}
PAIRS = 150
Takes = dict[tuple[str, int, str], bytes]  # (family, address, question) -> what is taken as its answer


@dataclass(frozen=True)
class Frame:
    """A captured frame, or a burst of frames."""

    id: str
    owner: str
    kind: str
    data: bytes
    sound: bool

    @property
    def addresses(self) -> set[int]:
        """Where the pack may be, by all families' frames."""
        head = re.match(rb"~..([0-9A-Fa-f]{2})", self.data)
        return {int(head[1], 16) if head else self.data[0], *self.data[1:2], 1, 2}


@cache
def frames() -> tuple[Frame, ...]:
    made = []
    for name in FILES:
        path = SHARED / "vectors" / f"{name}.jsonl"
        for text in path.read_text().splitlines() if path.is_file() else ():
            line = json.loads(text)
            make = line.get("bms", "jkpb")
            data = bytes.fromhex(line["hex"])
            if make == "jkpb" and len(data) == FRAME_SIZE and line["kind"] in REGISTERS:  # it counts with one only
                data += acknowledgement(1, REGISTERS[Topic(line["kind"])])
            made.append(Frame(line["id"], OWNERS.get(make, make), line["kind"], data, bool(line["checksum_ok"])))
    return tuple(made)


def sane(protocol: Protocol, exchange: Exchange) -> bool:
    row = blank()
    try:
        protocol.decode(exchange.address, exchange.question, exchange.answer, row, Identity())
        protocol.check(row, blank())
    except FrameError:
        return False
    return True


def takes(data: bytes, addresses: Iterable[int], families: Iterable[str] = registry.NAMES) -> Takes:
    """Which questions of all families take ``data`` as their answer, from packs at these addresses."""
    return {
        (protocol.name, exchange.address, exchange.question): exchange.answer
        for name in families
        for protocol in (registry.protocol(name),)
        for exchange in exchanges(protocol, addresses)
        if (exchange.feed(data) or exchange.feed(b"")) and sane(protocol, exchange)
    }


def exchanges(protocol: Protocol, addresses: Iterable[int]) -> Iterator[Exchange]:
    for address in set(addresses) & set(protocol.addresses):
        for question in dict.fromkeys(one for asked in protocol.questions.values() for one in asked):
            for _ in range(protocol.ways_to_ask(address)):
                yield protocol.exchange(question, address)


@cache
def taken(frame: Frame) -> Takes:
    return takes(frame.data, frame.addresses)


def families(takers: Iterable[tuple[str, int, str]]) -> set[str]:
    return {family for family, _, _ in takers}


@pytest.mark.parametrize("owner", registry.NAMES)
def test_a_frame_answers_one_question_of_its_own_family_at_most(owner: str) -> None:
    mine = [frame for frame in frames() if frame.owner == owner]
    assert mine
    for frame in mine:
        takers = taken(frame)
        assert families(takers) <= {owner}, frame.id
        if not frame.kind.startswith("sequence"):
            assert len({question for _, _, question in takers}) <= 1, frame.id
        damaged = not frame.sound and "sequence" not in frame.kind and frame.id != "daly-052"  # noise, then a sound one
        if damaged or "request" in frame.kind or frame.kind == "echo":
            assert not takers, frame.id


@pytest.mark.parametrize("owner", [name for name in registry.NAMES if name not in ("jkpb", "jkbms")])
def test_some_frames_of_every_family_are_taken(owner: str) -> None:
    questions = {question for frame in frames() if frame.owner == owner for _, _, question in taken(frame)}
    assert questions, "else this file proves nothing"


@pytest.mark.parametrize("owner", registry.NAMES)
def test_a_part_of_a_frame_is_nobody_elses_answer(owner: str) -> None:
    """Behind a burst's last frame, or an acknowledgement's, a part may still be its own family's."""
    random = Random(3)
    for frame in [frame for frame in frames() if frame.owner == owner][::2]:
        cut = random.randrange(1, len(frame.data))
        for part in (frame.data[:cut], frame.data[cut:], frame.data[:-1]):
            takers = takes(part, frame.addresses)
            assert set(takers) <= set(taken(frame)), (frame.id, cut)
            assert all(answer == taken(frame)[who] for who, answer in takers.items()), (frame.id, cut)


def representatives() -> list[Frame]:
    """A frame of each kind of each family that somebody takes, and one of each that nobody does."""
    chosen = {(frame.owner, frame.kind, bool(taken(frame))): frame for frame in frames() if frame.sound}
    return list(chosen.values())


def test_two_frames_behind_each_other_are_two_answers_or_none() -> None:
    random, some = Random(4), representatives()
    for _ in range(PAIRS):
        first, second = random.sample(some, 2)
        cut = random.choice((len(first.data), random.randrange(1, len(first.data))))
        addresses = first.addresses | second.addresses
        alone = [takes(frame.data, addresses) for frame in (first, second)]
        for who, answer in takes(first.data[:cut] + second.data, addresses).items():
            known = [one[who] for one in alone if who in one]
            right = any(answer.startswith(one) or one.startswith(answer) for one in known)
            assert right, (first.id, second.id, cut, who)


@pytest.mark.parametrize("owner", registry.NAMES)
def test_no_family_describes_a_frame_of_another_as_an_answer_of_its_own(owner: str) -> None:
    for frame in [frame for frame in frames() if frame.owner == owner and frame.sound]:
        for name in registry.NAMES:
            described = registry.protocol(name).describe(frame.data)
            if described.kind in ("status", "settings", "about") and not described.error:
                assert owner == name, frame.id


ONE_ANSWER = {"jkbms", "jkpb"}  # whose captures hold other firmware's answers too


@pytest.mark.parametrize("owner", registry.NAMES)
def test_what_is_heard_of_another_family_is_named_with_its_protocol(owner: str) -> None:
    """Whatever is asked, a real status names the family that reads it."""
    named = 0
    for frame in [frame for frame in frames() if frame.owner == owner and frame.sound]:
        own = registry.protocol(owner).describe(frame.data)
        if own.kind == "status" and not own.error:
            named += 1
            for name in registry.NAMES:
                error = look_alike(registry.protocol(name), b"\0" + frame.data)
                says = str(error) if error else ""
                assert says.endswith(f"PROTOCOL = {owner}") if name != owner else not says, (frame.id, name, says)
    assert named or owner in ONE_ANSWER


def test_the_files_are_as_large_as_they_were() -> None:
    assert len(frames()) >= 499
