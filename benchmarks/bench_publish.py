"""The bank on the D-Bus, second by second, and whole: ``pytest -s -o addopts= benchmarks/bench_publish.py``.

The rival publishes the same rounded values as velib_python does: an object for each path, and a ``PropertiesChanged``
signal for each value that changed. Both have a real dbus-daemon and one listener that takes every signal, as
systemcalc, the GUI, MQTT and Modbus do on a GX; ``extra_info`` has the signals a second, and what a second
costs the daemon and that one listener.

``test_the_page`` is what a client pays that opens the GUI: one ``GetItems`` of a bank of 15 and of 300 packs, from the
call to the answer, and one choice on the page "Individual Battery Info"; ``extra_info`` has the size of the answer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import dbus.service
import numpy as np
import pytest
from bench_daemon import cpu
from gi.repository import Gio
from pytest_benchmark.fixture import BenchmarkFixture

from bank_rows import WALL, healthy
from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.config.model import ServiceConfig
from packbank.model.catalogue import Quantity, Value
from packbank.model.columns import CELLS, Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.battery_info import REQUEST
from packbank.outputs.venus.bindings import GLib, dbus
from packbank.outputs.venus.bus import BUS_ITEM, DBus
from packbank.outputs.venus.paths import BANK_PATHS
from virtual_battery import snapshot

PACKS, SECONDS, MINUTES = 15, 60, 60
LISTENER = """
import sys
from packbank.outputs.venus.bindings import GLib, dbus
connection = dbus.bus.BusConnection(sys.argv[1], mainloop=dbus.mainloop.glib.DBusGMainLoop())
heard = 0
def hear(*_):
    global heard
    heard += 1
connection.add_signal_receiver(hear, dbus_interface="com.victronenergy.BusItem")
connection.add_signal_receiver(lambda: print(heard, flush=True), "Count", "packbank.bench")
print("ready", flush=True)
GLib.MainLoop().run()
"""


def a_minute(packs: int = PACKS) -> list[Snapshot]:
    """What a bank of ``packs`` is like from second to second: sensor noise, and a load that moves."""
    random = np.random.default_rng(1)
    bank = Bank([f"pack {n + 1}" for n in range(packs)], [PackSettings()] * packs, BankSettings())
    shown = []
    for second in range(SECONDS):
        rows = healthy(packs)
        rows[:, :16] += random.normal(0.0, 0.001, (packs, 16))
        rows[:, Column.VOLTAGE] = np.nansum(rows[:, :CELLS], axis=1)
        rows[:, Column.CURRENT] = random.normal(10.0 + second / 10, 0.2, packs)
        rows[:, Column.POWER] = rows[:, Column.CURRENT] * rows[:, Column.VOLTAGE]
        rows[:, Column.SOC] += second / 100
        rows[:, Column.STATUS_TIME] = float(second)
        shown.append(snapshot(bank.step(rows, float(second), WALL + second), float(second), rows=rows))
    return [one for one in shown if one.battery.ready]


class OneObjectAPath(dbus.service.Object):  # type: ignore[misc]
    """A path as velib_python has it."""

    def __init__(self, connection: Any, row: Quantity[Snapshot]) -> None:
        super().__init__(connection, row.path)
        self._row = row
        self._value: Value = None

    def update(self, shown: Snapshot) -> None:
        value = self._row.value(shown)
        if value != self._value:
            self._value = value
            wire = dbus.Array([], signature="i", variant_level=1) if value is None else value
            self.PropertiesChanged({"Value": wire, "Text": self._row.unit.text(value)})

    @dbus.service.signal(BUS_ITEM, signature="a{sv}")  # type: ignore[untyped-decorator]
    def PropertiesChanged(self, changes: dict[str, Any]) -> None:  # noqa: N802
        """Emitted by the decorator."""


def ours(bus: DBus) -> Callable[[Snapshot], None]:
    return BankOutput(ServiceConfig(), connection="RS485", bus=bus, send=lambda _: None).show


def velib_style(bus: DBus) -> Callable[[Snapshot], None]:
    paths = [OneObjectAPath(bus._connection, row) for row in BANK_PATHS]

    def publish(shown: Snapshot) -> None:
        for path in paths:
            path.update(shown)

    return publish


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """A private dbus-daemon: its address and process id. A folder of a test may be too long for a Unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={folder}/bus"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
            assert daemon.stdout is not None
            address = daemon.stdout.readline().strip()
            assert address, f"no dbus-daemon in {folder}"
            yield address, daemon.pid
            daemon.kill()


@pytest.mark.parametrize(
    ("kind", "packs"),
    [(ours, PACKS), (velib_style, PACKS), (ours, 300)],
    ids=["ours", "velib_style", "ours, 300 packs"],
)
@pytest.mark.benchmark(group="publish a second of 15 packs")
def test_publish(
    benchmark: BenchmarkFixture,
    address: tuple[str, int],
    kind: Callable[[DBus], Callable[[Snapshot], None]],
    packs: int,
) -> None:
    bus = DBus(address[0])
    with subprocess.Popen([sys.executable, "-c", LISTENER, address[0]], stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        listener.stdout.readline()
        publish, minute, seconds = kind(bus), a_minute(packs), count()
        publish(replace(minute[0], time=-1.0))
        pids = {"daemon": address[1], "listener": listener.pid}
        before = {name: sum(cpu(pid).values()) for name, pid in pids.items()}

        def second() -> None:
            now = next(seconds)
            publish(replace(minute[now % len(minute)], time=float(now)))
            bus._connection.flush()

        benchmark.pedantic(second, rounds=SECONDS * MINUTES, iterations=1)  # type: ignore[no-untyped-call]
        message = dbus.lowlevel.SignalMessage("/", "packbank.bench", "Count")
        bus._connection.send_message(message)
        bus._connection.flush()
        heard = int(listener.stdout.readline())
        rounds = SECONDS * MINUTES
        benchmark.extra_info["signals_a_second"] = round(heard / rounds, 2)
        for name, pid in pids.items():
            benchmark.extra_info[f"{name}_us_a_second"] = round((sum(cpu(pid).values()) - before[name]) / rounds * 1e6)
        print(f"\n{kind.__name__}, {packs} packs: {benchmark.extra_info}")
        listener.kill()
    while GLib.MainContext.default().iteration(False):
        pass
    bus.close()


def wire_size(items: Any) -> int:
    """Bytes of an answer to GetItems on the wire."""

    def variant(value: Any) -> GLib.Variant:
        if isinstance(value, dbus.Array):
            return GLib.Variant("ai", [])
        kinds = ((str, "s"), (bool, "b"), (int, "i"), (float, "d"))
        return next(GLib.Variant(code, kind(value)) for kind, code in kinds if isinstance(value, kind))

    body = {str(path): {str(key): variant(value) for key, value in item.items()} for path, item in items.items()}
    message = Gio.DBusMessage.new_signal("/", BUS_ITEM, "ItemsChanged")
    message.set_body(GLib.Variant("(a{sa{sv}})", (body,)))
    return len(message.to_blob(Gio.DBusCapabilityFlags.NONE))


@pytest.mark.parametrize("packs", [15, 300])
@pytest.mark.parametrize("member", ["GetItems", "SetValue"])
@pytest.mark.benchmark(group="the page of single packs")
def test_the_page(benchmark: BenchmarkFixture, address: tuple[str, int], packs: int, member: str) -> None:
    bus, client = DBus(address[0]), DBus(address[0])
    publish, minute = ours(bus), a_minute(packs)
    publish(minute[0])
    path, signature = ("/", "") if member == "GetItems" else (REQUEST, "v")
    numbers = count()
    answers: list[Any] = []

    def ask() -> Any:
        answers.clear()
        args = () if member == "GetItems" else (1 + next(numbers) % packs,)
        client.ask("com.victronenergy.battery.packbank", path, member, answers.append, signature, *args)
        while not answers:
            GLib.MainContext.default().iteration(True)
        return answers[0]

    benchmark.extra_info["bytes"] = wire_size(ask()) if member == "GetItems" else 0
    benchmark.pedantic(ask, rounds=200, iterations=1, warmup_rounds=5)  # type: ignore[no-untyped-call]
    print(f"\n{member}, {packs} packs: {benchmark.extra_info}")
    for connection in (client, bus):
        connection.close()
