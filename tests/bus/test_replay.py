"""Replay: a real bus trace, our own captures of any protocol, and files that are none."""

from __future__ import annotations

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from random import Random
from struct import unpack_from

import pytest
from plain_protocol import PlainProtocol, answer, request

from other_bms import pack_row
from packbank.bms.daly import Daly
from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.memory import RARELY
from packbank.bms.protocol import Answer, Topic
from packbank.bms.seplos_v3 import SeplosV3
from packbank.cext.framing import acknowledgement
from packbank.cli import main
from packbank.errors import ConfigError
from packbank.model.battery import FAULTY
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sim.responder_daly import DalyResponder
from packbank.sim.responder_jkpb import frame
from packbank.sources.serial.recording import LONGEST_GAP, Event, read_events
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


def test_a_question_asked_again_in_a_visit_does_not_end_it() -> None:
    """Daly boards are asked for their current once more where it contradicts their state."""
    daly, board = Daly(), DalyResponder(1)
    ear = OwnPolling(Daly())
    steady = [(-20.0, -20.0)] * (RARELY + 1)  # the number of cells is asked again now and then
    for visit, currents in enumerate([(20.0, 20.0), (20.0, -20.0), *steady]):
        taken, asked = [], list[str]()
        for question in daly.questions_to(1, Topic.STATUS):
            row = pack_row(current=currents[min(len(asked), 1)])
            exchange = daly.exchange(question, 1)
            bursts = board.answer(exchange.request, row, Random(1))
            data = b"".join(burst.data for burst in bursts)
            assert exchange.feed(data)
            taken += ear.send(exchange.request) + ear.feed(data, float(visit))
            asked.append(question)
        *_, answer = taken + ear.feed(b"")
        assert isinstance(answer, Answer)
        assert answer.data["pack"][8:10] == board_says(currents[1])[8:10], "the current"
        assert asked.count("pack") == (2 if visit == 1 else 1)


def test_a_replay_has_one_row_for_each_address() -> None:
    player = Player({"rack": SeplosV3(), "attic": JkPb()})
    assert [place.address for place in player.places if place.bus == "rack"] == [*range(16)]
    assert len(set(player.places)) == len(player.places) == 32


def board_says(current: float) -> bytes:
    (burst,) = DalyResponder(1).answer(Daly().exchange("pack", 1).request, pack_row(current=current), Random(1))
    return burst.data


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: neither a line of a capture nor hex"),
        ('{"bus": "a", "protocol": "jkpb"}\n{"t": 1, "bus": "a", "dir": "rx", "hex": "zz"}', "line 2"),
        ("", "no traffic"),
        (
            '{"t": 1e400, "bus": "a", "dir": "rx", "hex": "00"}',
            "line 1: neither a line of a capture nor hex (t is no time)",
        ),
        ('{"t": NaN, "bus": "a", "dir": "rx", "hex": "00"}', "t is no time"),
        ('{"t": true, "bus": "a", "dir": "rx", "hex": "00"}', "t is no time"),
        ('{"t": "1", "bus": "a", "dir": "rx", "hex": "00"}', "t is no time"),
        ('{"t": 1, "bus": ["a"], "dir": "rx", "hex": "00"}', "bus is no text"),
        ('{"t": 1, "bus": "a", "dir": "up", "hex": "00"}', "neither tx nor rx"),
        ('{"t": 1, "bus": "a", "dir": "rx", "hex": 12}', "hex is no text"),
        ('{"t": 1, "dir": "rx", "hex": "00"}', "bus is missing"),
        ('{"bus": "a", "protocol": "modbus"}', "protocol 'modbus' is not known"),
        ('{"bus": ' + "[" * 60_000, "line 1"),
        ("0" * 600_000, "a line of more than 524288 bytes"),
        ("[DEFAULT]\nPORT = /dev/ttyUSB0\n", "line 1: neither a line of a capture nor hex"),
        ('{"t": ' + "9" * 60_000 + ', "bus": "a", "dir": "rx", "hex": "00"}', "line 1"),
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


@pytest.mark.parametrize(
    ("data", "says"),
    [(gzip.compress(b"{}", mtime=0), "is compressed; 'gunzip"), (b"PK\3\4", "unzip"), (b"\xff\xfe" * 9, "line 1")],
)
def test_a_binary_file_gets_one_line(
    tmp_path: Path, data: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture"
    file.write_bytes(data)
    assert main(["replay", str(file)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1


def test_something_that_is_no_file_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        assert main(["replay", str(path)]) == 2
        assert "is not a file" in capsys.readouterr().err


def line_of(time: float, bus: str = "rack", data: str = "00") -> str:
    return json.dumps({"t": time, "bus": bus, "dir": "rx", "hex": data}) + "\n"


def test_times_that_jump_are_drawn_together_and_those_of_buses_are_sorted(tmp_path: Path) -> None:
    file = tmp_path / "capture"
    file.write_text("".join(map(line_of, [5.0, 1e12, 1e12 + 2, 1e12 + 1, 3.0, 4.0, -1e12])))
    times = [event.time for event in read_events(file)]
    gap = LONGEST_GAP
    assert times == pytest.approx([5, 5 + gap, 6 + gap, 7 + gap, 7 + gap, 8 + gap, 8 + gap])
    assert main(["replay", str(file)]) == 1, "it ends, and there was no answer in it"


@pytest.mark.parametrize("form", ["{}", "[{}]", "rx: {}"])
def test_answers_in_plain_hex_are_replayed(tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = pack_row(cell_average=3.312, cell_delta=0.003)
    whole = frame(Topic.STATUS, row, 3, Identity()) + acknowledgement(3, REGISTERS[Topic.STATUS])
    text = whole.hex(".") if form == "{}" else ", ".join(f"{byte:#x}" for byte in whole)
    file = tmp_path / "log.txt"
    file.write_text("# from a logic analyser\n\n" + form.format(text) + "\n")
    code = main(["replay", str(file), "--json"])
    if form.startswith("rx"):
        assert code == 2
        assert "not hex: 'r'" in capsys.readouterr().err
        return
    assert code == 0
    assert json.loads(capsys.readouterr().out)["voltage"] == pytest.approx(row[Column.VOLTAGE], abs=0.01)


def test_a_file_that_is_not_there_is_a_mistake_of_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_events(tmp_path / "none"))
