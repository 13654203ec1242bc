"""What outlives a restart, in one small JSON file that a power cut cannot spoil.

``{"schema": 2, "bank": {...}, "controls": {...}, "boot": "...", "at": 1234.5}``; the first version wrote the first two
parts without ``schema``. ``boot`` and ``at`` say when, on a clock that nobody sets: s since the machine was started.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any, NoReturn
from zlib import crc32

from packbank.boot import boot_name, since_boot
from packbank.errors import ConfigError
from packbank.files import replace_text
from packbank.model.controls import Controls

SCHEMA = 2
LARGEST = 1 << 24  # bytes; of 250 packs it has some 300 kB
LONGEST_PATH, LONGEST_NAME = 4000, 240  # bytes; Linux has 4095 and 255, and what is being written has a longer name
_DAMAGED = (OSError, RecursionError, ValueError)  # nested too deep, numbers too long, not UTF-8, ...

log = logging.getLogger(__name__)


def load(path: Path) -> dict[str, Any]:
    """The saved state; empty when there is none or when it is damaged (one warning, never fatal).

    A state of a newer packbank is put aside, so that it is not overwritten. Raises ConfigError when the file is
    something else, such as a configuration: packbank would overwrite it.
    """
    try:
        data = check(path)
        if not data and not path.exists():
            return {}
        state = json.loads(data, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
        if not isinstance(state, dict):
            raise ValueError("no JSON object")
    except ConfigError:
        raise
    except _DAMAGED as error:
        log.warning("%s: cannot be used, starting without history (%s)", path, str(error)[:200])
        return {}
    schema = state.get("schema", 1)
    if isinstance(schema, int) and schema <= SCHEMA:
        return state
    aside = path.with_name(f"{path.name}.schema-{schema if isinstance(schema, int) else 'unknown'}")
    log.warning("%s: was written by a newer packbank; it is kept as %s, starting without history", path, aside)
    path.replace(aside)
    return {}


def check(path: Path) -> bytes:
    """What is in the file, empty when there is none. Raises ConfigError when it is something else than a state.

    Raises OSError when it cannot be read.
    """
    encoded = os.fsencode(path.absolute())
    if len(encoded) > LONGEST_PATH or any(len(part) > LONGEST_NAME for part in encoded.split(b"/")):
        raise ConfigError(f"STATE_FILE: a path of {len(encoded)} bytes is too long; name a shorter one")
    above = next(folder for folder in path.absolute().parents if _there(folder))
    if not above.is_dir():
        raise ConfigError(f"{path} cannot be written, {above} is not a folder: let STATE_FILE name another file")
    if not _there(path):
        return b""
    if not path.is_file():
        raise ConfigError(f"{path} is not a file: let STATE_FILE name a file of its own")
    if path.stat().st_size > LARGEST:
        raise ConfigError(f"{path} is no state file of packbank, it is too large: let STATE_FILE name another file")
    data = path.read_bytes()
    if not _may_be_ours(data):
        raise ConfigError(f"{path} is not a state file of packbank: let STATE_FILE name a file of its own")
    return data


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # beyond a folder that is closed to us
        return False


def lock(path: Path) -> socket:
    """Hold the state for this process until what is returned is closed: two daemons would overwrite each other's.

    The lock is a name in Linux's abstract socket namespace (unix(7)): it leaves no file, and goes with the process.
    Raises ConfigError when another process holds it.
    """
    held = socket(AF_UNIX, SOCK_STREAM)
    try:
        held.bind(b"\0packbank-state-%08x" % crc32(os.fsencode(path.resolve())))
    except OSError as error:
        held.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(f"another packbank runs with {path}: stop it, or name another file with --state") from None
    return held


def save(path: Path, state: Mapping[str, object]) -> None:
    """Replace the file by ``state`` in one step: a reader, or a power cut, sees the old or the new, whole.

    Raises OSError when the folder cannot be written.
    """
    text = json.dumps({"schema": SCHEMA, **state}, allow_nan=False)  # dump() makes reference cycles
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, text)


def stamp() -> dict[str, str | float]:
    """When a state is saved, for :func:`age`; empty where the machine does not name its boots."""
    try:
        return {"boot": boot_name(), "at": round(since_boot(), 1)}
    except OSError:
        return {}


def age(state: Mapping[str, Any]) -> float | None:
    """Seconds since ``state`` was saved; ``None`` when nobody knows, such as after the machine was started anew."""
    saved, now = state.get("at"), stamp()
    if not now or state.get("boot") != now["boot"] or not isinstance(saved, float):
        return None
    passed = float(now["at"]) - saved
    return passed if passed >= 0.0 else None


def controls_of(state: Mapping[str, Any]) -> Controls | None:
    """The user's settings as saved; ``None`` when there are none, or when they are damaged or of another version."""
    saved = state.get("controls")
    if saved is None:
        return None
    none = asdict(Controls())
    if isinstance(saved, dict) and all(name in none and _may_be(saved[name], none[name]) for name in saved):
        return Controls(**saved)
    log.warning("the saved user limits are damaged or of another version: set them again")
    return None


def _may_be(value: object, none: object) -> bool:
    """Whether ``value`` can stand where ``none`` means that there is none: a switch, or a cap."""
    if isinstance(none, bool) or isinstance(value, bool):
        return type(value) is type(none)
    return value is None or (isinstance(value, int | float) and value >= 0)


def _may_be_ours(data: bytes) -> bool:
    """Whether this was a state file once: JSON, or the zeros that a power cut can leave."""
    return data.lstrip()[:1] in (b"{", b"", b"\0")


def _finite(number: str) -> float:
    """The figure; ValueError for one that no float can hold."""
    return float(number) if isfinite(float(number)) else _refuse(number)


def _whole(number: str) -> int:
    """The figure; ValueError for one that is too large for a float."""
    _finite(number)
    return int(number)


def _refuse(constant: str) -> NoReturn:
    """JSON has no NaN and no infinity, and :func:`save` writes none."""
    raise ValueError(f"{constant} is not a saved figure")
