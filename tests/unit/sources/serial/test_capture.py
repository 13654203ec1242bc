"""The capture's file: whose it is, what is in it, and that a bus in pieces is concealed as a bus in one."""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path
from random import Random

import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Topic
from packbank.cext.framing import acknowledgement
from packbank.errors import ConfigError
from packbank.model.columns import empty_matrix
from packbank.model.identity import Identity
from packbank.sim.responder_jkpb import PASSCODE, frame
from packbank.sources.serial.capture import CONTEXT, PAUSE, Capture, Concealer, Passed
from packbank.sources.serial.recording import read_events, read_protocols

WHO = Identity("JK_PB2A16S20P", "15A", "15.41", "40119491480", "cellar", "2024-09-14")


def answer(topic: Topic) -> bytes:
    return frame(topic, empty_matrix(1)[0], 3, WHO) + acknowledgement(3, REGISTERS[topic])


def written(path: Path, *passed: Passed) -> bytes:
    """What a capture has of the received bytes."""
    capture = Capture(path)
    tap = capture.tap("rack", JkPb())
    for direction, data, when in passed:
        tap(direction, data, when)
    capture.close()
    return b"".join(event.data for event in read_events(path) if not event.sent)


def test_it_is_for_its_owner_only_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    written(path, Passed("tx", b"\1", 5.0))
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b'{"t": 6.0, "bus": "ra')  # a power cut
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    capture = Capture(path, clock=lambda: 7.0)
    capture.tap("rack", JkPb())("tx", b"\2", 7.0)
    capture.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["hex"] for line in lines if b'"hex"' in line] == ["01", "02"]


def test_a_recording_with_a_line_cut_short_by_a_power_cut_is_read(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    written(path, Passed("tx", b"\1", 5.0))
    path.write_bytes(path.read_bytes() + b'{"t": 6.0, "bus": "ra')
    written(path, Passed("tx", b"\2", 1.0))
    assert [event.data for event in read_events(path)] == [b"\1", b"\2"]
    assert read_protocols(path) == {"rack": "jkpb"}


@pytest.mark.parametrize("content", [b"[DEFAULT]\nPORT = /dev/x\n", b"{}\n", b'{"schema": 2}', b"[" * 9999, b"\0\xff"])
@pytest.mark.parametrize("name", ["capture", "capture.1"])
def test_a_file_of_another_kind_is_never_touched(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="is not a capture of packbank"):
        Capture(tmp_path / "capture")
    assert (tmp_path / name).read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/null")):
        with pytest.raises(ConfigError, match="is not a file"):
            Capture(path)
    with pytest.raises(ConfigError, match="cannot write the capture"):
        Capture(tmp_path / "none" / "capture")


@pytest.mark.parametrize("most", [1, 7, 100, 700])
def test_bytes_in_pieces_are_shown_as_if_they_had_come_at_once(tmp_path: Path, most: int) -> None:
    stream = b"\xff" + answer(Topic.ABOUT) + answer(Topic.STATUS)[9:] + answer(Topic.ABOUT)[:200] + answer(Topic.STATUS)
    random, pieces = Random(most), list[bytes]()
    left = stream
    while left:
        size = random.randint(1, most)
        pieces.append(left[:size])
        left = left[size:]
    shown = written(tmp_path / "capture", *(Passed("rx", piece, number * 0.01) for number, piece in enumerate(pieces)))
    assert shown == JkPb().conceal(stream)
    assert PASSCODE not in shown
    assert answer(Topic.STATUS) in shown


def test_lines_keep_their_order_and_wait_no_longer_than_they_must() -> None:
    concealer = Concealer(JkPb().conceal)
    whole = answer(Topic.STATUS)
    ask = Passed("tx", b"ask", 0.0)
    assert concealer.take(ask) == [ask], "nothing received waits"
    assert concealer.take(Passed("rx", whole, 0.1)) == []
    again = Passed("tx", b"again", 0.2)
    assert concealer.take(again) == []
    assert concealer.take(Passed("rx", whole, 0.3)) == []
    given = concealer.take(Passed("rx", whole, 0.4))
    assert given == [Passed("rx", whole, 0.1), again]
    later = Passed("tx", b"later", 0.5 + PAUSE)
    assert concealer.take(later) == [Passed("rx", whole, 0.3), Passed("rx", whole, 0.4), later]
    assert 2 * len(whole) > CONTEXT


def test_a_full_disk_ends_the_capture_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    capture = Capture(tmp_path / "capture")
    tap = capture.tap("rack", JkPb())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        for _ in range(9):
            tap("tx", b"?", 12.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    capture.close()
    assert [record.message for record in caplog.records] == [f"{tmp_path}/capture: capture ended: File too large"]
