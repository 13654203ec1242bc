"""The catalogue: one table of a bank's quantities, one of a pack's, one of a bus's.

Settings of a pack's BMS have a table of their own, since they change seldom.

Every output is a projection of these tables: D-Bus paths, JSON, the terminal table, the printed documents. A new row
is a new quantity in all of them.
"""

from packbank.model.catalogue.bank import BANK
from packbank.model.catalogue.bus import BUS, refusals
from packbank.model.catalogue.pack import PACK, PACK_SETTINGS
from packbank.model.catalogue.quantity import Entity, Quantity, Rate, Unit, Value, expand, plain

__all__ = [
    "BANK",
    "BUS",
    "PACK",
    "PACK_SETTINGS",
    "Entity",
    "Quantity",
    "Rate",
    "Unit",
    "Value",
    "expand",
    "plain",
    "refusals",
]
