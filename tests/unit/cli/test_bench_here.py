"""``packbank bench --here``: what it prints of a machine and of a real, short run."""

from __future__ import annotations

import json

import pytest

from packbank.cli import bench, main, timing
from packbank.model.columns import Column

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 85
model name\t: Intel(R) Xeon(R) Processor

processor\t: 1
model name\t: Another
"""
ARM32 = """\
processor\t: 0
model name\t: ARMv7 Processor rev 4 (v7l)
CPU implementer\t: 0x41
CPU part\t: 0xc07

Hardware\t: Allwinner sun7i (A20) Family
Serial\t\t: 1650661e05c2c7b5
"""
ARM64 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"


@pytest.mark.parametrize(
    ("cpuinfo", "said"),
    [
        (X86, "Intel(R) Xeon(R) Processor"),
        (
            ARM32,
            "ARMv7 Processor rev 4 (v7l), Allwinner sun7i (A20) Family, CPU implementer 0x41, CPU part 0xc07",
        ),
        (ARM64, "Raspberry Pi 4 Model B Rev 1.4, CPU implementer 0x41, CPU part 0xd08"),
        ("", ""),
        ("no colon\nmodel name\t:\n", ""),
    ],
)
def test_the_processor_is_named_from_cpuinfo(cpuinfo: str, said: str) -> None:
    assert bench.processor(cpuinfo) == said


def test_without_here_it_says_where_the_benchmarks_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 2
    said = capsys.readouterr().err
    assert "packbank bench --here" in said
    assert "scripts/bench" in said


def test_a_bank_that_cannot_be_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--here", "--packs", "16"]) == 2
    assert "--packs 16: write 1 to 15" in capsys.readouterr().err


def test_a_call_is_timed_without_the_loop_round_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.02)
    little, much = (timing.net_ns(sum, numbers) for numbers in ([1] * 100, [1] * 10_000))
    assert 0 < little < much


def test_what_is_timed_does_its_work() -> None:
    row, step = bench.decoder()(), bench.stepper(15)
    assert row[Column.VOLTAGE] == pytest.approx(52.8, abs=0.5)
    batteries = [step() for _ in range(5)]
    assert batteries[-1].ready
    assert batteries[-1].online == 15
    assert batteries[-1].charge_current_limit.value > 0


@pytest.mark.slow
def test_a_short_run_fills_every_figure(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.02)
    pytest.importorskip("serial")
    arguments = ["bench", "--here", "--packs", "2", "--buses", "2", "--seconds", "8", "--no-dbus", "--json"]
    assert main(arguments) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["schema"] == bench.SCHEMA
    assert said["machine"]["cores"] >= 1
    assert said["calls"]["decode_us"] > 0
    assert set(said["calls"]["step_ms"]) == {str(packs) for packs in bench.BANKS}
    daemon = said["daemon"]
    assert (daemon["packs"], daemon["buses"]) == (4, 2)
    assert daemon["answers"] > 4
    assert daemon["cpu_s_a_minute"] > 0
    assert set(daemon["round_s"]) == {"bus1", "bus2"}
    assert daemon["signals_a_second"] is None


def test_the_page_shows_unknown_figures_as_such() -> None:
    machine = bench.Machine("A processor", 2, "armv7l", 0.25, "3.12.0", "1.26.0", "1.0")
    calls = bench.Calls(2.345, {15: 1.5, 64: 2.0})
    daemon = bench.Daemon(15, 1, 30.0, 3.1, {"bus1": None}, {"bus1": None}, 0, 0, 1, 0, None, 0.5, 40.2, None)
    lines = bench.page(machine, calls, daemon)
    assert lines[0] == "processor  A processor; 2 cores, armv7l, load 0.25"
    assert "  rounds   bus1 - s (mean - s)" in lines
    assert "  answers  0, 0 missed, 1 lost, 0 refused" in lines
    assert not any("D-Bus" in line for line in lines)
