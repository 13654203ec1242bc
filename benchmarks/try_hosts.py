"""A large bank from many hosts: ``scripts/try-hosts [--hosts 10] [--packs 100] [--seconds 60] [--compare]``.

Each sender is a process with the real sender of 'packbank forward'; its rows are frames of the simulator, decoded as a
bus decodes them, spread over the second before. A Mosquitto carries them to one 'packbank run'. Shown are CPU of each
part, memory, and for every pack: the latency from an answer to the first step of the bank that uses it, and the age
of its newest answer at every step, which is a round of its bus more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from bench_daemon import cpu
from bench_mqtt import memory

from brokers import Mosquitto
from packbank.bms import registry
from packbank.bms.protocol import Topic
from packbank.cli.simulate import add_bank_arguments
from packbank.cli.simulator import Simulator
from packbank.config.inifile import parse
from packbank.config.loader import build
from packbank.config.model import Config
from packbank.config.values import format_addresses
from packbank.daemon import wait_loop
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sim.responder_jkpb import frame
from packbank.sim.wire_bank import LiveBank, demo_spec
from packbank.sources.hosts.sender import Sender

A_BUS = 15
SETTLE = 40.0  # s
NEW = 0.2  # s: an answer is another one when it came so much later; ages are shown in tenths
SECONDS_KEPT = 20  # of frames, made before the start: what that costs is no matter of the sender's


def buses_of(packs: int) -> list[tuple[str, range]]:
    """Buses of 15 packs at most, with their addresses."""
    return [(f"bus{first // A_BUS + 1}", range(1, min(A_BUS, packs - first) + 1)) for first in range(0, packs, A_BUS)]


def send(name: str, packs: int, broker: str) -> None:
    """A sender, until it is ended; then says what its turns have cost."""
    sections = "".join(
        f"[bus:{bus}]\nPORT = /dev/none-{bus}\nBATTERY_ADDRESSES = {format_addresses(addresses)}\n"
        for bus, addresses in buses_of(packs)
    )
    config = _config(f"{sections}[mqtt]\nBROKER = {broker}\nHOST = {name}\n")
    assert config.mqtt is not None
    begun = time.monotonic()
    sender, bank = Sender(config, config.mqtt, begun), LiveBank(demo_spec(packs, 16, 1), begun)
    protocol, rows = registry.protocol("jkpb"), np.full((packs, COLUMNS), np.nan)
    identities = [Identity() for _ in range(packs)]
    for index, pack in enumerate(config.packs):
        who = Identity(model="JK_PB2A16S20P", software="15.41", serial=f"{name}{index:04}")
        for topic in (Topic.SETTINGS, Topic.ABOUT):
            data = frame(topic, bank.row(index, begun), pack.address, who)
            identities[index] = protocol.decode(pack.address, topic, data, rows[index], identities[index])
        rows[index, Column.SETTINGS_TIME] = begun
    turns: list[float] = []
    pause = 1.0

    seconds = []
    for second in range(SECONDS_KEPT):
        for index, pack in enumerate(config.packs):
            data = frame(Topic.STATUS, bank.row(index, begun + second), pack.address, identities[index])
            protocol.decode(pack.address, Topic.STATUS, data, rows[index], identities[index])
        seconds.append(rows.copy())

    def tick() -> bool:
        nonlocal pause
        now, pause, before = time.monotonic(), 1.0 + sender.shift(), time.thread_time()
        matrix = seconds[len(turns) % SECONDS_KEPT]
        matrix[:, Column.STATUS_TIME] = now - 1.0 + (np.arange(packs) % A_BUS + 1) / A_BUS
        matrix[:, Column.TICKS] = 1000.0 + now - begun
        sender.tick(matrix, identities, [], now)
        turns.append(time.thread_time() - before)
        return True

    wait_loop(tick, lambda: pause)
    sender.close()
    print(json.dumps(turns[10:]))


def _config(text: str) -> Config:
    config, problems = build(parse(text)[0])
    assert config is not None, problems
    return config


def receive(hosts: int, packs: int, broker: str) -> str:
    """The configuration of the bank."""
    listed = ", ".join(f"{bus} {format_addresses(addresses)}" for bus, addresses in buses_of(packs))
    return "".join(f"[host:far{host}]\nBROKER = {broker}\nPACKS = {listed}\n" for host in range(hosts))


def main() -> None:
    """Run the bank and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--packs", type=int, default=100, help="of each host")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--compare", action="store_true", help="a local bus beside one of another host, on real ports")
    parser.add_argument("--sender", help=argparse.SUPPRESS)
    parser.add_argument("--broker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.sender:
        send(args.sender, args.packs, args.broker)
        return
    if args.compare:
        _compare(args.seconds)
        return
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="packbank-") as name:
        broker = Mosquitto(Path(name))
        broker.start()
        stack.callback(broker.stop)
        assert broker.process is not None
        senders = [_start_sender(stack, host, args.packs, broker.url) for host in range(args.hosts)]
        file = Path(name) / "config.ini"
        file.write_text(receive(args.hosts, args.packs, broker.url), encoding="utf-8")
        with _bank(file) as bank:
            _measure_cost(bank.pid, broker.process.pid, args.seconds)
        with (Path(name) / "lines").open("w") as lines, _bank(file, "--json", stdout=lines.fileno()):
            time.sleep(args.seconds)
        _measure_ages((Path(name) / "lines").read_text().splitlines()[-int(args.seconds) : -1])
        for sender in senders:
            sender.terminate()
        turns = [turn for sender in senders for turn in json.loads(sender.communicate()[0].splitlines()[-1])]
        print(f"a sender: {median(turns) * 1000:.1f} ms of CPU a second for {args.packs} packs")


def _start_sender(stack: ExitStack, host: int, packs: int, broker: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--sender", f"far{host}", "--packs", str(packs), "--broker", broker]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    return process


def _measure_cost(bank: int, broker: int, seconds: float) -> None:
    """CPU and memory while nobody reads what the bank says."""
    before = [sum(cpu(pid).values()) for pid in (bank, broker)]
    time.sleep(seconds)
    spent = [(sum(cpu(pid).values()) - used) / seconds * 1000 for pid, used in zip((bank, broker), before, strict=True)]
    print(f"receiver: {spent[0]:.0f} ms of CPU a second, {memory(bank):.0f} MB")
    print(f"broker: {spent[1]:.0f} ms of CPU a second, {memory(broker):.0f} MB")


def _compare(seconds: float) -> None:
    """Two simulated buses of 15, one at the bank and one that 'packbank forward' reads."""
    parser = argparse.ArgumentParser()
    add_bank_arguments(parser)
    buses = parser.parse_args([f"--packs={A_BUS}", "--buses=2"])
    listed = f"0x01-0x{A_BUS:02X}"
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="packbank-") as name:
        broker, near, far = Mosquitto(Path(name)), Path(name) / "near.ini", Path(name) / "far.ini"
        broker.start()
        stack.callback(broker.stop)
        ports = stack.enter_context(Simulator(buses)).ports
        own = "[bus:bus1]\nPORT = {}\nBATTERY_ADDRESSES = {}\n"
        far.write_text(f"{own.format(ports[1], listed)}[mqtt]\nBROKER = {broker.url}\nHOST = far\n")
        near.write_text(f"{own.format(ports[0], listed)}[host:far]\nBROKER = {broker.url}\nPACKS = bus1 {listed}\n")
        forward = [sys.executable, "-m", "packbank", "forward", "--config", str(far)]
        sender = stack.enter_context(subprocess.Popen(forward, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(sender.terminate)
        with (Path(name) / "lines").open("w") as lines, _bank(near, "--json", stdout=lines.fileno()):
            time.sleep(seconds)
        said = [json.loads(line) for line in (Path(name) / "lines").read_text().splitlines()[-int(seconds) : -1]]
    print(f"steps at most {_apart(said):.2f} s apart")
    for where in ("bus1", "far/bus1"):
        stats = next(bus for bus in said[-1]["buses"] if bus["name"] == where)
        missed = f"{stats['missed']} answers missed since the start, a round of {stats['round_time_mean']:.2f} s"
        print(f"{where}: {_times(said, where)}; {missed}")


def _times(said: Sequence[Any], where: str = "") -> str:
    """The latency and the age of the packs of a bus, or of all."""
    before: dict[str, float] = {}
    latencies, ages = [], []
    for line in said:
        for pack in line["packs"]:
            if where not in ("", pack["bus"]) or pack["age"] is None:
                continue
            answered = line["time"] - pack["age"]
            ages.append(pack["age"])
            if answered - before.setdefault(pack["name"], answered) > NEW:
                latencies.append(pack["age"])
                before[pack["name"]] = answered
    return f"from answer to step {_spread(latencies)}; age at a step {_spread(ages)}"


def _spread(times: Sequence[float]) -> str:
    return f"median {median(times):.2f} s, 99 % {quantiles(times, n=100)[98]:.2f} s, worst {max(times):.2f} s"


def _apart(said: Sequence[Any]) -> float:
    """s between two steps at most."""
    times = [(one["number"], float(one["time"])) for one in said]
    return max(later - one for (number, one), (after, later) in pairwise(times) if after == number + 1)


@contextmanager
def _bank(file: Path, *more: str, stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A bank that has come to rest."""
    command = [sys.executable, "-m", "packbank", "run", "--no-dbus", "--config", str(file), *more]
    with file.with_suffix(".log").open("w") as log, subprocess.Popen(command, stdout=stdout, stderr=log) as bank:
        try:
            time.sleep(SETTLE)
            yield bank
        finally:
            bank.terminate()


def _measure_ages(said: Sequence[str]) -> None:
    lines = [json.loads(line) for line in said]
    print(f"{lines[-1]['online']} packs online, steps at most {_apart(lines):.2f} s apart")
    print(_times(lines))


if __name__ == "__main__":
    main()
