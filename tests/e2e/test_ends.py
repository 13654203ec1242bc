"""Commands are ended in every way that users have: no traceback, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from on_terminal import PACKBANK, OnTerminal, eventually, processes_with

pytest.importorskip("serial")
MARK = "PACKBANK_TEST_OF_ENDS"
DEMO = (*PACKBANK, "demo", "--packs", "1")
MOMENTS = (0.0, 0.1, 0.3, 0.6, 1.2)  # s after our code has begun: imports, children that start, the first answers


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Everything temporary goes to ``tmp_path``; whatever is started is known by its mark."""
    yield {"TMPDIR": str(tmp_path), MARK: str(tmp_path)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={tmp_path}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def nothing_left(environment: dict[str, str]) -> bool:
    return eventually(lambda: not processes_with(MARK, environment[MARK]))


def is_clean(said: str) -> bool:
    return "Traceback" not in said and "Exception ignored" not in said


@pytest.fixture
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The port of a simulated bus."""
    folder = tmp_path_factory.mktemp("ports")
    command = [*PACKBANK, "simulate", "--packs", "1", "--folder", str(folder)]
    simulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert simulator.stdout is not None
    simulator.stdout.readline()
    yield folder / "bus1"
    simulator.terminate()
    simulator.communicate(timeout=20)


@pytest.mark.parametrize("fault", [(), ("--fault", "silence=1")], ids=["with a battery", "without a battery"])
def test_demo_whose_reader_has_gone_ends_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], fault: tuple[str, ...]
) -> None:
    demo = subprocess.Popen(
        [*DEMO, *fault],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert demo.stdout is not None
    assert demo.stderr is not None
    assert demo.stdout.readline().startswith("packs: 1")
    demo.stdout.close()
    with demo.stderr as errors:
        said = errors.read()
    assert demo.wait(20) == 1
    assert is_clean(said)
    assert nothing_left(environment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("switches", [(), ("--json",)], ids=["configuration", "json"])
def test_simulate_whose_reader_has_gone_ends_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], switches: tuple[str, ...]
) -> None:
    program = " ".join([*PACKBANK, "simulate", "--packs", "1", *switches])
    ended = subprocess.run(
        ["bash", "-c", f"{program} | head -1"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ended.stdout.startswith(("[bus:bus1]", '{"ports"'))
    assert is_clean(ended.stderr)
    assert nothing_left(environment)
    assert list(tmp_path.iterdir()) == []


def test_the_demo_works_on_a_machine_that_looks_like_a_gx(tmp_path: Path, environment: dict[str, str]) -> None:
    root = tmp_path / "root"
    (root / "etc/venus").mkdir(parents=True)
    ended = subprocess.run(
        [*DEMO, "--seconds", "3"],
        env={**os.environ, **environment, "PACKBANK_ROOT": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "\nD-Bus: 0 " not in ended.stdout, "there is no localsettings to be waited for"
    assert "not compared, the load was never steady for 5 s" in ended.stdout
    assert is_clean(ended.stderr)


@pytest.mark.parametrize("delay", MOMENTS)
@pytest.mark.parametrize("keys", ["\x03", "\x03\x03"], ids=["once", "twice"])
def test_ctrl_c_ends_the_demo_at_any_moment(
    tmp_path: Path, environment: dict[str, str], delay: float, keys: str
) -> None:
    with OnTerminal(DEMO, environment=environment) as demo:
        # Until our code runs, a Ctrl-C is the interpreter's; the first thing that a command imports is numpy.
        assert eventually(lambda: "numpy" in Path(f"/proc/{demo.process.pid}/maps").read_text())
        time.sleep(delay)
        for key in keys:
            demo.press(key)
            time.sleep(0.05)
        code, said = demo.end()
    assert code in {0, 1, 130, -signal.SIGINT}  # the last: when the interpreter no longer handles signals
    assert is_clean(said)
    assert nothing_left(environment)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_demo_cleans_up_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    with OnTerminal(DEMO, environment=environment) as demo:
        demo.wait_for("1 of 1 packs")
        for _ in range(5):
            demo.press("\x03")
            time.sleep(0.02)
        _, said = demo.end()
    assert is_clean(said)
    assert nothing_left(environment)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_killed_takes_its_processes_along(environment: dict[str, str]) -> None:
    with OnTerminal(DEMO, environment=environment) as demo:
        demo.wait_for("1 of 1 packs")
        assert len(processes_with(MARK, environment[MARK])) >= 2
        demo.process.kill()
        demo.process.wait()
    assert nothing_left(environment)


def test_a_closed_terminal_ends_the_demo(tmp_path: Path, environment: dict[str, str]) -> None:
    with OnTerminal(DEMO, environment=environment) as demo:
        demo.wait_for("1 of 1 packs")
        demo.hang_up()
        demo.end()
    assert nothing_left(environment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["ctrl-c", "hang-up"])
@pytest.mark.parametrize("command", ["run", "simulate", "scan"])
def test_other_commands_end_too(tmp_path: Path, environment: dict[str, str], bus: Path, command: str, way: str) -> None:
    config = tmp_path / "config.ini"
    config.write_text(f"[bus:a]\nPORT = {bus}\nBATTERY_ADDRESSES = 1\n")
    arguments, sign = {
        "run": (("--no-dbus", "--config", str(config)), "CVL"),
        "simulate": (("--packs", "2"), "BATTERY_ADDRESSES"),
        "scan": ((str(bus),), str(bus)),
    }[command]
    errors = tmp_path / "errors"
    errors.touch()
    into_file = f"2> {errors}" if way == "hang-up" else ""  # what is said after the terminal has gone
    shell = ("/bin/sh", "-c", f'exec "$@" {into_file}', "sh")
    with OnTerminal((*shell, *PACKBANK, command, *arguments), environment=environment) as running:
        if into_file and command == "run":
            assert eventually(lambda: sign in errors.read_text())
        elif into_file and command == "scan":
            time.sleep(1.0)
        else:
            running.wait_for(sign)
        running.hang_up() if into_file else running.press("\x03")
        _, said = running.end()
    assert is_clean(said)
    assert is_clean(errors.read_text())
    assert nothing_left(environment)
    if command == "run":
        assert (tmp_path / "config.state.json").exists()  # the last state was saved
