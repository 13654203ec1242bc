"""What outlives a restart, in one small JSON file that a power cut cannot spoil."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)


def load(path: Path) -> dict[str, object]:
    """The saved state; empty when there is none or when it cannot be read (said in the log, never fatal)."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be used, starting without history (%s)", path, error)
        return {}
    if not isinstance(state, dict):
        log.warning("%s: not a state file of packbank, starting without history", path)
        return {}
    return state


def save(path: Path, state: Mapping[str, object]) -> None:
    """Replace the file by ``state`` in one step: a reader, or a power cut, sees the old or the new, whole.

    Raises OSError when the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(json.dumps(state, allow_nan=False))  # dump() leaves cycles for the garbage collector
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _refuse(constant: str) -> None:
    """JSON has no NaN and no infinity, and :func:`save` writes none."""
    raise ValueError(f"{constant} is not a saved figure")
