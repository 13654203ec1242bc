"""Replay: a real bus trace, our own captures of any protocol, and files that are none."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from struct import unpack_from

import pytest
from plain_protocol import PlainProtocol, answer, request

from packbank.bms.jkpb import JkPb
from packbank.cli import main
from packbank.errors import ConfigError
from packbank.model.battery import FAULTY
from packbank.model.columns import Column
from packbank.sources.serial.recording import Event, read_events
from packbank.sources.serial.replay import OwnPolling, Player

TRACE = Path(__file__).parents[3] / "shared/vectors/jkpb_bus_trace.jsonl"
needs_trace = pytest.mark.skipif(not TRACE.exists(), reason="../shared is not there")


def last_status(capture: str) -> dict[int, bytes]:
    """The last acknowledged status frame of each address, found without our own framing."""
    lines = [json.loads(line) for line in TRACE.read_text().splitlines()]
    mine = [line for line in lines if line["capture"] == capture and line["kind"] != "request"]
    frames = {}
    for payload, ack in pairwise(mine):
        if (payload["kind"], ack["kind"], ack["hex"][2:8]) == ("payload", "ack", "101620"):
            frames[int(ack["hex"][:2], 16)] = bytes.fromhex(payload["hex"])
    return frames


@needs_trace
@pytest.mark.parametrize(
    ("capture", "answers"),
    [("busmaster_polling_10s_final", 16), ("new_driver_4bat_60s", 65), ("monitor_init_and_polling_60s", 67)],
)
def test_a_real_trace_replays_as_it_is(capture: str, answers: int) -> None:
    player = Player({capture: JkPb()})
    for event in read_events(TRACE):
        if event.bus == capture:
            player.take(event)
    player.finish(100.0)
    matrix, _ = player.store.snapshot()
    frames = last_status(capture)
    for place, row in zip(player.places, matrix, strict=True):
        if place.address not in frames:
            assert row[Column.STATUS_TIME] != row[Column.STATUS_TIME]
            continue
        assert row[Column.VOLTAGE] == pytest.approx(unpack_from("<I", frames[place.address], 150)[0] / 1000.0)
        assert row[Column.CURRENT] == pytest.approx(unpack_from("<i", frames[place.address], 158)[0] / 1000.0)
    assert player.stats(60.0)[0].answers == answers


@needs_trace
def test_the_command_prints_the_battery_of_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(TRACE), "--bus", "busmaster_polling_10s_final", "--json"]) == 0
    out, err = capsys.readouterr()
    battery = json.loads(out.splitlines()[-1])
    assert battery["online"] == 4
    assert 52.0 < battery["voltage"] < 54.0
    assert "16 answers" in err
    assert main(["replay", str(TRACE), "--bus", "busmaster_polling_10s_final", "--every", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@needs_trace
@pytest.mark.parametrize(
    "capture", ["busmaster_polling_10s_final", "new_driver_4bat_60s", "monitor_init_and_polling_60s"]
)
def test_no_current_sensor_of_a_real_trace_is_called_wrong(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(TRACE), "--bus", capture, "--json", "--every", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    for line in lines:
        assert not line["alarms"]["InternalFailure"]
        assert not {pack["current_sensor"] for pack in line["packs"]} & {sensor.value for sensor in FAULTY}


def polled(address: int, questions: str, value: int) -> list[Event]:
    """A poll of an address as a capture has it."""
    return [
        event
        for number, question in enumerate(questions)
        for event in (
            Event(value * 0.1 + number * 0.1, "rack", True, request(address, question)),
            Event(value * 0.1 + number * 0.1 + 0.05, "rack", False, answer(address, question, value)),
        )
    ]


class Deaf(PlainProtocol):
    """A protocol whose answers cannot be attributed without the requests."""

    def overhear(self) -> None:  # type: ignore[override]
        return None


@pytest.mark.parametrize("protocol", [PlainProtocol(), Deaf()])
def test_our_own_polling_replays_with_and_without_an_ear(protocol: PlainProtocol) -> None:
    player = Player({"rack": protocol})
    events = [*polled(1, "vcsa", 10), *polled(2, "vc", 20), *polled(1, "v", 30)]
    for event in events:
        player.take(event)
    player.finish(4.0)
    matrix, identities = player.store.snapshot()
    rows = {place.address: matrix[index] for index, place in enumerate(player.places)}
    assert rows[2][Column.VOLTAGE] == rows[2][Column.CURRENT] == 20.0
    assert rows[1][Column.CELL_OVP] == 10.0
    assert identities[1].serial == "SN10"
    # without an ear a status of two questions is taken whole or not at all
    assert rows[1][Column.VOLTAGE] == (10.0 if isinstance(protocol, Deaf) else 30.0)


def test_a_wrong_answer_in_a_recording_is_counted_by_its_reason() -> None:
    ear = OwnPolling(Deaf())
    ear.send(request(1, "v"))
    assert ear.feed(answer(2, "v", 5)) == []
    assert ear.feed(b"") == []
    assert [error.reason for error in ear.rejected] == ["address"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: not a line of a capture"),
        ('{"bus": "a", "protocol": "jkpb"}\n{"t": 1, "bus": "a", "dir": "rx", "hex": "zz"}', "line 2"),
        ("", "no traffic"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(
    tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture.jsonl"
    file.write_text(text)
    assert main(["replay", str(file)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert str(file) in message


def test_a_file_that_is_not_there_is_a_mistake_of_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_events(tmp_path / "none"))
