"""The families of BMS by the names that configuration and command line use; a module is imported when asked for.

A family is one line here. Its parts are found by its name: the class in ``packbank.bms.NAME``, the simulated pack in
``packbank.sim.responder_NAME`` (``-`` in a name is ``_`` in a module's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple

from packbank.bms.protocol import Protocol


class Family(NamedTuple):
    """What must be known of a family before it is imported."""

    cls: str  # of its protocol; its simulated pack is this and "Responder"
    driver: tuple[str, ...] = ()  # the BMS_TYPEs of dbus-serialbattery that read the same packs


# In the order in which they are looked for: readers first, since a question to JK PB is formally a write, which no
# device at another rate can understand.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "jkbms": Family("JkBms", ("jkbms",)),
        "jkpb": Family("JkPb", ("jkbms_pb",)),
        "daly": Family("Daly", ("daly",)),
        "eg4": Family("Eg4", ("eg4_lifepower", "lifepower")),
        "pace": Family("Pace", ("pace",)),
        "pylontech": Family("Pylontech"),
        "seplos": Family("Seplos", ("seplos",)),
        "daren": Family("Daren", ("daren485",)),
        "jbd-up": Family("JbdUp", ("lltjbd_up16s",)),
        "jbd": Family("Jbd", ("lltjbd",)),
        "seplos-v3": Family("SeplosV3", ("seplosv3",)),
    }
)
NAMES = tuple(FAMILIES)


def module_of(name: str) -> str:
    """The last part of the names of the family's modules."""
    return name.replace("-", "_")


def protocol(name: str) -> Protocol:
    """The protocol ``name``, one of :data:`NAMES`, else KeyError."""
    module = import_module(f"packbank.bms.{module_of(name)}") if name in FAMILIES else None
    made: Protocol = getattr(module, FAMILIES[name].cls)()
    return made


class Protocols(Mapping[str, Protocol]):
    """Every protocol by its name; each is made when it is looked up."""

    def __getitem__(self, name: str) -> Protocol:
        return protocol(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def protocols() -> Protocols:
    """Every protocol by its name."""
    return Protocols()
