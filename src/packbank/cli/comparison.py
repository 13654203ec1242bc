"""The settings of all packs beside each other, from a line of the daemon: what ``settings`` and ``doctor`` show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.cli.pages.words import PACK_ROWS, Report, known, with_unit
from packbank.findings import Finding, note, ok
from packbank.model.audit import differing
from packbank.model.catalogue import PACK_SETTINGS, Quantity
from packbank.model.columns import Column

TOLERANCE = {Column.NOMINAL_CAPACITY.key: 0.05}  # of the value: owners set what they have measured
ADDRESS = Column.DEVICE_ADDRESS.key  # of each pack its own
IDENTITY = tuple(PACK_ROWS[key] for key in ("model", "hardware", "software", "serial", "bms_name", "manufactured"))
COMPARED = (
    *(PACK_ROWS[key] for key in ("hardware", "software", Column.CELL_COUNT.key)),
    *(row for row in PACK_SETTINGS if row.key != ADDRESS),
)
_TOLERANCES = np.array([TOLERANCE.get(row.key, 0.0) for row in COMPARED])
_NAMED = 3  # packs of one value, before the rest is counted
_VALUES = 4  # that differ, before the rest is counted
_REMEDY = "make them alike in the BMS's app, unless it is meant so; 'packbank settings' shows all"


@dataclass(frozen=True, slots=True)
class Difference:
    """A quantity that is not the same in all packs of a model."""

    row: Quantity[Any]
    values: dict[int, Any]  # of the packs that differ, by their index
    usual: Any  # what most of the packs of that model have; None: no value is that of so many
    peers: int  # how many have it


def value_of(pack: Report, row: Quantity[Any]) -> Any:
    """The value of ``row`` in ``pack``; None when it is not known, or an empty text."""
    value = known(pack, row.key) if row.key in PACK_ROWS else (pack.get("settings") or {}).get(row.key)
    return None if value == "" else value


def compared(packs: Sequence[Report]) -> list[Difference]:
    """Every difference between packs of one model, in the order of the table."""
    if not packs:
        return []
    kinds = _codes([pack["model"] for pack in packs])
    values = [[value_of(pack, row) for pack in packs] for row in COMPARED]
    differs = differing(np.column_stack(list(map(_numbers, values))), kinds, _TOLERANCES)
    return [
        _difference(COMPARED[number], values[number], differs[:, number] & (kinds == kind), kinds == kind)
        for number in np.flatnonzero(differs.any(axis=0)).tolist()
        for kind in np.unique(kinds[differs[:, number]])
    ]


def _difference(row: Quantity[Any], values: list[Any], odd: NDArray[np.bool_], peers: NDArray[np.bool_]) -> Difference:
    """The difference in ``row`` between the packs that are ``odd`` and the rest of their ``peers``."""
    usual = [values[index] for index in np.flatnonzero(peers & ~odd).tolist() if values[index] is not None]
    unusual = {index: values[index] for index in np.flatnonzero(odd).tolist()}
    return Difference(row, unusual, usual[0] if usual else None, len(usual))


def settings_findings(packs: Sequence[Report]) -> Iterator[Finding]:
    """The differences for ``doctor``: notes, since who sets packs differently may have a reason."""
    differences = compared(packs)
    for one in differences:
        yield note(sentence(one, packs), _REMEDY)
    if not differences:
        read = sum(any(value is not None for value in (pack.get("settings") or {}).values()) for pack in packs)
        yield ok(f"settings and versions of {read} of {len(packs)} packs read: those of one model are alike")


def sentence(one: Difference, packs: Sequence[Report]) -> str:
    """``cell over-voltage protection: pack 7 has 3.550 V, 14 others have 3.650 V``."""
    by_value: dict[str, list[str]] = {}
    for index, value in one.values.items():
        by_value.setdefault(with_unit(one.row, value), []).append(packs[index]["name"])
    parts = [f"{_few(names)} {'has' if len(names) == 1 else 'have'} {text}" for text, names in by_value.items()]
    if len(parts) > _VALUES:
        parts = [*parts[:_VALUES], f"{len(parts) - _VALUES} more values"]
    if one.usual is not None:
        others = "1 other has" if one.peers == 1 else f"{one.peers} others have"
        parts.append(f"{others} {with_unit(one.row, one.usual)}")
    return f"{one.row.title}: {', '.join(parts)}"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _codes(texts: Sequence[Any]) -> NDArray[np.int64]:
    """A number for each different text."""
    return np.unique(np.array([str(text) for text in texts]), return_inverse=True)[1].astype(np.int64)


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    """Values as numbers that are equal where these are; unknown ones are NaN."""
    if any(isinstance(value, str) for value in values):
        codes = _codes(values).astype(np.float64)
        return np.where([value is None for value in values], np.nan, codes)
    return np.array([np.nan if value is None else float(value) for value in values])
