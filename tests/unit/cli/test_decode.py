"""``packbank decode``: JSON lines, the page, exit codes, and what is never shown."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Topic
from packbank.cext.framing import acknowledgement, request
from packbank.cli import main
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.responder_jkpb import PASSCODE, frame

IDENTITY = Identity("JK_PB2A16S20P", "15A", "15.41", "40119491480", "House 3", "2024-09-14", 48_572_700, 22)


def status(**values: float) -> bytes:
    row = empty_matrix(1)[0]
    row[CELL_VOLTAGES][:4] = 3.3
    row[Column.VOLTAGE], row[Column.CURRENT], row[Column.POWER] = 13.2, -5.0, -66.0
    row[Column.CELL_AVERAGE], row[Column.CELL_DELTA], row[Column.SOC] = 3.3, 0.0, 55
    row[Column.TEMPERATURE_1] = -1.5
    for key, value in values.items():
        row[Column[key.upper()]] = value
    assert len(row) == COLUMNS
    return frame(Topic.STATUS, row, 3, IDENTITY)


def settings() -> bytes:
    row = empty_matrix(1)[0]
    row[Column.CELL_OVP], row[Column.CELL_COUNT], row[Column.SHORT_CIRCUIT_DELAY] = 3.65, 4, 0.0015
    return frame(Topic.SETTINGS, row, 9, IDENTITY)


def run_json(capsys: pytest.CaptureFixture[str], *frames: bytes | str) -> tuple[int, list[dict[str, Any]]]:
    texts = [one if isinstance(one, str) else one.hex() for one in frames]
    code = main(["decode", "--json", *texts])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_status(capsys: pytest.CaptureFixture[str]) -> None:
    answer = status(alarm_bits=1 << 4 | 1 << 19 | 1 << 31) + b"\0" + acknowledgement(3, REGISTERS[Topic.STATUS])
    code, (decoded,) = run_json(capsys, answer)
    assert code == 0
    assert (decoded["kind"], decoded["ok"], decoded["error"], decoded["address"]) == ("status", True, None, 3)
    assert (decoded["voltage"], decoded["current"], decoded["power"], decoded["soc"]) == (13.2, -5.0, -66.0, 55)
    assert decoded["cell_voltages"] == [3.3] * 4
    assert decoded["cell_resistances"] == [0.0] * 4
    assert decoded["temperatures"] == {"mos": None, "t1": -1.5, "t2": None, "t3": None, "t4": None, "t5": None}
    assert decoded["alarms"] == ["cell over-voltage", "change the authorisation password", "bit 31"]
    assert not any(key.startswith("temperature_") for key in decoded)
    assert str(Alarm.HIGH_CELL_VOLTAGE) not in decoded


def test_settings_have_their_own_address(capsys: pytest.CaptureFixture[str]) -> None:
    code, (decoded,) = run_json(capsys, settings())
    assert code == 0
    assert (decoded["kind"], decoded["address"]) == ("settings", 9)
    assert (decoded["cell_ovp"], decoded["cell_count"], decoded["short_circuit_delay"]) == (3.65, 4, 0.0015)
    assert decoded["heating_start"] is None
    assert "voltage" not in decoded


def test_about_without_passcodes(capsys: pytest.CaptureFixture[str]) -> None:
    data = frame(Topic.ABOUT, empty_matrix(1)[0], 3, IDENTITY)
    assert PASSCODE in data
    code, (decoded,) = run_json(capsys, data)
    assert code == 0
    assert decoded == {
        "kind": "about", "ok": True, "error": None, "address": None, "model": "JK_PB2A16S20P", "hardware": "15A",
        "software": "15.41", "serial": "40119491480", "name": "House 3", "manufactured": "2024-09-14",
        "runtime": 48_572_700, "power_on_count": 22,
    }  # fmt: skip
    assert main(["decode", data.hex()]) == 0
    assert PASSCODE.decode() not in capsys.readouterr().out


def test_request_and_acknowledgement(capsys: pytest.CaptureFixture[str]) -> None:
    code, (asked, decoded) = run_json(capsys, request(3, 0x1620), acknowledgement(4, 0x161E))
    assert code == 0
    assert (asked["kind"], asked["address"], asked["topic"], asked["register"]) == ("request", 3, "status", "0x1620")
    assert (decoded["kind"], decoded["address"], decoded["topic"]) == ("ack", 4, "settings")


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (status()[:-1] + b"\xff", "status", "sum8"),
        (status()[:200], "status", "truncated"),
        (status()[:4], "unknown", "truncated"),
        (status(current=47_775.8), "status", "current"),
        (status(voltage=20.0), "status", "voltage"),
        (status() + acknowledgement(3, 0x161E), "status", "ack"),
        (status() + acknowledgement(3, 0x1620)[:-1] + b"\xff", "status", "ack"),
        (bytes(300), "unknown", "no JK PB frame"),
        ("5", "unknown", "not hex: an odd number of digits, 1"),
        ("xyz", "unknown", "not hex: 'x' is no digit of it"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], data: bytes | str, kind: str, error: str) -> None:
    code, (decoded,) = run_json(capsys, data)
    assert code == 1
    assert (decoded["kind"], decoded["ok"], decoded["address"]) == (kind, False, None)
    assert error in decoded["error"]


def test_one_bad_frame_of_many_fails(capsys: pytest.CaptureFixture[str]) -> None:
    code, frames = run_json(capsys, status(), bytes(8), status())
    assert code == 1
    assert [one["ok"] for one in frames] == [True, False, True]


def standard_input(text: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def test_standard_input_a_frame_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spaced = "0x03 10:16,20 0001 020000CF91"
    monkeypatch.setattr("sys.stdin", standard_input(f"{status().hex()}\n\n{spaced}\n"))
    assert main(["decode", "--json"]) == 0
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["status", "request"]


def test_nothing_to_decode_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", standard_input("\n"))
    assert main(["decode"]) == 2
    assert "no frames" in capsys.readouterr().err


def test_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", (status() + acknowledgement(3, 0x1620)).hex(), "00"]) == 1
    page = capsys.readouterr().out
    assert page.startswith("status 0x03\n")
    assert "  voltage                   13.2 V\n" in page
    assert "mos -  t1 -1.5" in page
    assert "  alarms                    none\n" in page
    assert "unknown: refused, no JK PB frame" in page


LIMITS = "~20024600B01402D002AFC80172FE8EC0F91C"  # of a Pylontech US3000C


def test_ascii_frames_are_taken_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    for text in (LIMITS, f" {LIMITS}\r", f"{LIMITS}\r".encode().hex()):
        assert main(["decode", "--protocol", "pylontech", text]) == 0
        out = capsys.readouterr().out
        assert out.startswith("status 0x02")
        assert "charge_current_limit      37 A" in out


def test_a_frame_of_another_family_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", LIMITS]) == 1
    assert "PROTOCOL = pylontech" in capsys.readouterr().out
