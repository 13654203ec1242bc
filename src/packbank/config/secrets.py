"""What of a file may stand in a message: the values of keys that are known to hold no secret, and nothing else."""

from __future__ import annotations

from functools import cache

from packbank.config import keys
from packbank.config.entry import Entry
from packbank.config.serialbattery import IGNORED, RENAMES

HIDDEN = "..."
SECRET = ("PASS", "USERNAME")  # parts of the names of known keys
LONGEST = 80  # characters of a value


def shown(entry: Entry) -> str:
    """``KEY = value`` on one line; instead of a value that may be a secret, three dots.

    A key that nobody knows may be a password's, misspelt, and what follows in further lines may be another key.
    """
    name, *rest = entry.key.split()
    first, *more = entry.value.split("\n")
    if rest or entry.key not in _harmless() or "@" in first:  # as in mqtt://user:password@host
        return f"{name}{' ' + HIDDEN if rest else ''} = {HIDDEN}"
    value = " ".join([*first.split(), *([HIDDEN] if more else ())])
    return f"{entry.key} = {value if len(value) <= LONGEST else value[:LONGEST] + HIDDEN}"


@cache
def _harmless() -> frozenset[str]:
    shared = (keys.bus_keys, keys.program_keys, keys.service_keys, keys.bank_keys, keys.pack_keys, keys.reading_keys)
    own = (keys.name_keys, keys.mqtt_keys, keys.host_keys, keys.web_keys, keys.history_keys)
    known = {name for group in (*shared, *own) for name in group()}
    known.update(name for rename in RENAMES for name in rename.old)
    known.update(name for names in IGNORED.values() for name in names.split())
    return frozenset(name for name in known if not any(part in name for part in SECRET))
