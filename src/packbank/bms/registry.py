"""The protocols by the names that configuration and command line use; each module is imported when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from packbank.bms.protocol import Protocol

_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "jkpb": ("packbank.bms.jkpb", "JkPb"),
        "jkbms": ("packbank.bms.jkbms", "JkBms"),
        "daly": ("packbank.bms.daly", "Daly"),
        "eg4": ("packbank.bms.eg4", "Eg4"),
    }
)
NAMES = tuple(_CLASSES)


def protocol(name: str, inverted: Iterable[int] = ()) -> Protocol:
    """The protocol ``name``, one of :data:`NAMES`, else KeyError; ``inverted`` is :attr:`Protocol.inverted`."""
    module, cls = _CLASSES[name]
    made: Protocol = getattr(import_module(module), cls)()
    made.inverted = frozenset(inverted)
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
