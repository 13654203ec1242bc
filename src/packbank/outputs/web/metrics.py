"""``/metrics`` for Prometheus: a table of families, written down as OpenMetrics 1.0, or as its older text format.

What is not known is left out, and so is what a pack that does not answer measured last. No label has a text that a
BMS reports, but those of ``packbank_pack_info``. The bank has no label: the target's own labels say which one it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank import __version__
from packbank.model.battery import PRESENCES, SILENT, Presence
from packbank.model.catalogue.bank import BANK
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.snapshot import Snapshot

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OLD = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]
_AWAY = [PRESENCES.index(presence) for presence in SILENT]
_ABSENT = PRESENCES.index(Presence.ABSENT)
_BANK = {row.key: row for row in BANK}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_SUFFIX = {"counter": "_total", "info": "_info"}


class Family(NamedTuple):
    """One metric: ``unit`` is the end of its name, as the format wants it."""

    name: str
    kind: str  # gauge, counter, info or stateset
    unit: str
    help: str
    samples: Callable[[Snapshot], Iterable[Sample]]


def _of_bank(name: str, unit: str, key: str, help_: str, factor: float = 1.0, kind: str = "gauge") -> Family:
    """A row of the catalogue; ``factor`` turns its unit into Prometheus's."""
    row = _BANK[key]

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        value = row.get(snapshot)
        if value is not None:
            yield (), factor * value

    return Family(f"packbank_bank_{name}", kind, unit, help_, samples)


def _present(snapshot: Snapshot) -> list[int]:
    """The packs that are known to exist."""
    return np.flatnonzero(snapshot.battery.packs.presence != _ABSENT).tolist()


def _answering(snapshot: Snapshot) -> list[int]:
    return np.flatnonzero(~np.isin(snapshot.battery.packs.presence, _AWAY)).tolist()


def _label(snapshot: Snapshot, pack: int) -> Labels:
    return (("pack", snapshot.battery.packs.names[pack]),)


def _of_pack(
    name: str, unit: str, help_: str, get: Callable[[Snapshot], NDArray[np.float64]], *, lost_too: bool = False
) -> Family:
    """A value of each pack."""

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        values = get(snapshot).tolist()
        for pack in _present(snapshot) if lost_too else _answering(snapshot):
            yield _label(snapshot, pack), values[pack]

    return Family(f"packbank_pack_{name}", "gauge", unit, help_, samples)


def _column(column: Column, factor: float = 1.0) -> Callable[[Snapshot], NDArray[np.float64]]:
    return lambda snapshot: factor * snapshot.rows[:, column]


def _of_bus(name: str, unit: str, help_: str, get: Callable[[Any], float], kind: str = "counter") -> Family:
    """A value of each bus."""
    return Family(
        f"packbank_bus_{name}", kind, unit, help_, lambda s: (((("bus", bus.name),), get(bus)) for bus in s.buses)
    )


def _states(snapshot: Snapshot) -> Iterator[Sample]:
    presence = snapshot.battery.packs.presence
    for code, state in enumerate(PRESENCES):
        if code != _ABSENT:
            yield (("state", state.value),), float((presence == code).sum())


def _blocking(snapshot: Snapshot) -> Iterator[Sample]:
    yield (("direction", "charge"),), snapshot.battery.blocking_charge
    yield (("direction", "discharge"),), snapshot.battery.blocking_discharge


def _stage(snapshot: Snapshot) -> Iterator[Sample]:
    yield (("stage", snapshot.battery.stage),), 1.0


def _bank_alarms(snapshot: Snapshot) -> Iterator[Sample]:
    for alarm, level in snapshot.battery.alarms.items():
        yield (("alarm", alarm.venus),), level


def _pack_state(snapshot: Snapshot) -> Iterator[Sample]:
    presence = snapshot.battery.packs.presence.tolist()
    for pack in _present(snapshot):
        for code, state in enumerate(PRESENCES):
            if code != _ABSENT:
                yield (*_label(snapshot, pack), ("packbank_pack_state", state.value)), float(presence[pack] == code)


def _pack_alarms(snapshot: Snapshot) -> Iterator[Sample]:
    levels = snapshot.battery.packs.alarms
    reported = [alarm for alarm in Alarm if alarm in snapshot.battery.alarms]
    for pack in _answering(snapshot):
        for alarm in reported:
            yield (*_label(snapshot, pack), ("alarm", alarm.venus)), float(levels[pack, alarm])


def _pack_info(snapshot: Snapshot) -> Iterator[Sample]:
    for pack in _present(snapshot):
        identity, place = snapshot.identities[pack], snapshot.places[pack]
        about = (("serial", identity.serial), ("model", identity.model), ("firmware", identity.software))
        yield (*_label(snapshot, pack), ("bus", place.bus), ("address", f"{place.address:#04x}"), *about), 1.0


def _cells(snapshot: Snapshot) -> Iterator[Sample]:
    cells = snapshot.rows[:, CELL_VOLTAGES].tolist()
    for pack in _answering(snapshot):
        for number, volts in enumerate(cells[pack], start=1):
            yield (*_label(snapshot, pack), ("cell", str(number))), volts


FAMILIES = (
    Family("packbank_build", "info", "", "the program", lambda _: [((("version", __version__),), 1.0)]),
    _of_bank("voltage_volts", "volts", "voltage", "voltage of the bank"),
    _of_bank("current_amperes", "amperes", "current", "current of the bank, positive charges"),
    _of_bank("power_watts", "watts", "power", "power of the bank, positive charges"),
    _of_bank("state_of_charge_ratio", "ratio", "soc", "state of charge", 0.01),
    _of_bank("state_of_health_ratio", "ratio", "soh", "state of health", 0.01),
    _of_bank("stored_energy_joules", "joules", "stored_energy", "charge left times the present voltage", 3600.0),
    _of_bank("temperature_celsius", "celsius", "temperature", "mean of the battery sensors"),
    _of_bank("temperature_min_celsius", "celsius", "lowest_temperature.value", "coldest battery sensor"),
    _of_bank("temperature_max_celsius", "celsius", "highest_temperature.value", "warmest battery sensor"),
    _of_bank("cell_voltage_min_volts", "volts", "lowest_cell.value", "lowest cell"),
    _of_bank("cell_voltage_max_volts", "volts", "highest_cell.value", "highest cell"),
    _of_bank("charge_voltage_limit_volts", "volts", "charge_voltage_limit.value", "CVL"),
    _of_bank("charge_current_limit_amperes", "amperes", "charge_current_limit.value", "CCL"),
    _of_bank("discharge_current_limit_amperes", "amperes", "discharge_current_limit.value", "DCL"),
    _of_bank("charged_energy_joules", "joules", "history.charged_energy", "energy ever charged", 3.6e6, "counter"),
    _of_bank("discharged_energy_joules", "joules", "history.discharged_energy", "energy ever drawn", 3.6e6, "counter"),
    _of_bank("ready", "", "ready", "1: fit to be published"),
    Family("packbank_bank_packs", "gauge", "", "packs by their state", _states),
    Family("packbank_bank_packs_blocking", "gauge", "", "packs that take or give no charge", _blocking),
    Family("packbank_bank_stage", "gauge", "", "1 for the charge stage that holds", _stage),
    Family("packbank_bank_alarm", "gauge", "", "worst of the packs: 0 no, 1 warning, 2 alarm", _bank_alarms),
    _of_pack("voltage_volts", "volts", "voltage of the pack", _column(Column.VOLTAGE)),
    _of_pack("current_amperes", "amperes", "current of the pack, positive charges", _column(Column.CURRENT)),
    _of_pack("state_of_charge_ratio", "ratio", "state of charge", _column(Column.SOC, 0.01)),
    _of_pack("state_of_health_ratio", "ratio", "state of health", _column(Column.SOH, 0.01)),
    _of_pack("temperature_min_celsius", "celsius", "coldest sensor", lambda s: s.battery.packs.temperature[0]),
    _of_pack("temperature_max_celsius", "celsius", "warmest sensor", lambda s: s.battery.packs.temperature[1]),
    _of_pack("mosfet_temperature_celsius", "celsius", "MOSFETs", _column(Column.TEMPERATURE_MOS)),
    _of_pack("cell_voltage_min_volts", "volts", "lowest cell", lambda s: np.fmin.reduce(s.rows[:, CELL_VOLTAGES], 1)),
    _of_pack("cell_voltage_max_volts", "volts", "highest cell", lambda s: np.fmax.reduce(s.rows[:, CELL_VOLTAGES], 1)),
    _of_pack("charge_limit_amperes", "amperes", "its own charge limit", lambda s: s.battery.packs.limit[0]),
    _of_pack("discharge_limit_amperes", "amperes", "its own discharge limit", lambda s: s.battery.packs.limit[1]),
    _of_pack("age_seconds", "seconds", "since the last accepted answer", lambda s: s.battery.packs.age, lost_too=True),
    Family("packbank_pack_state", "stateset", "", "state of the pack (docs/limits.md)", _pack_state),
    Family("packbank_pack_alarm", "gauge", "", "0 no, 1 warning, 2 alarm", _pack_alarms),
    Family("packbank_pack", "info", "", "who the pack says it is", _pack_info),
    _of_bus("requests", "", "requests sent", lambda bus: bus.requests),
    _of_bus("answers", "", "answers accepted", lambda bus: bus.answers),
    _of_bus("timeouts", "", "requests without any answer", lambda bus: bus.missed),
    _of_bus("errors", "", "answers that failed a check", lambda bus: sum(bus.refused.values())),
    _of_bus("lost", "", "questions that were not answered at all", lambda bus: bus.lost),
    _of_bus("reopened", "", "times that the port was opened again", lambda bus: bus.reopened),
    _of_bus("round_seconds", "seconds", "time of the last round", lambda bus: bus.round_time, "gauge"),
    _of_bus("line_use_ratio", "ratio", "part of the time that the wire was busy", lambda bus: bus.line_use, "gauge"),
)
CELLS = Family("packbank_cell_voltage_volts", "gauge", "volts", "each cell", _cells)


def exposition(snapshot: Snapshot, *, cells: bool = True, old: bool = False) -> str:
    """All families of ``snapshot``; ``old`` is Prometheus's text format 0.0.4, which has neither units nor an end."""
    lines: list[str] = []
    for family in (*FAMILIES, *([CELLS] if cells else [])):
        lines += _head(family, old)
        name = family.name + _SUFFIX.get(family.kind, "")
        lines += (
            f"{name}{_labels(labels)} {_number(value)}" for labels, value in family.samples(snapshot) if isfinite(value)
        )
    return "\n".join(lines + ([] if old else ["# EOF"])) + "\n"


def _head(family: Family, old: bool) -> Iterator[str]:
    if old:
        kind = family.kind if family.kind == "counter" else "gauge"
        name = family.name + _SUFFIX.get(family.kind, "")
        yield from (f"# HELP {name} {family.help}", f"# TYPE {name} {kind}")
        return
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"


def _labels(labels: Labels) -> str:
    inside = ",".join([f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels])
    return f"{{{inside}}}" if labels else ""


def _number(value: float) -> str:
    return f"{value:.9g}"
