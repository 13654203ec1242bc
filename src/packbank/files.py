"""Files of the user that are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

NEW = ".packbank-new"  # what is being written, hidden; one is left by a power cut, and used again


def replace_text(path: Path, text: str, mode: int | None = None) -> None:
    """Make ``text`` the content of ``path`` in one step: a reader, or a power cut, sees the old or the new, whole.

    A file that is there keeps its owner and its permissions; a new one gets those of ``mode``, if any. Raises OSError
    when the folder cannot be written.
    """
    path = path.resolve()  # a link stays a link
    new = path.with_name(f".{path.name}{NEW}")
    try:
        with new.open("w", encoding="utf-8") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode & 0o7777)
            if path.exists():
                old = path.stat()
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
