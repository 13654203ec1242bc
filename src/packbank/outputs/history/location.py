"""Where history is: its folder beside the state, and what waits to get there in the runtime folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from packbank.outputs.local_socket import SUFFIX, runtime_folders, socket_name

LINK = ".history"  # a link to the folder, named as the daemon's socket


class Location(NamedTuple):
    """The files of one daemon."""

    folder: Path
    link: Path

    @property
    def rows(self) -> Path:
        """What waits of the rows."""
        return self.link.with_suffix(".rows")

    @property
    def events(self) -> Path:
        """What waits of the events."""
        return self.link.with_suffix(".events")


def link_name(config_file: Path) -> str:
    """What the link of a daemon with ``config_file`` is called."""
    return f"{socket_name(config_file).removesuffix(SUFFIX)}{LINK}"


def location_of(config_file: Path, state_file: Path) -> Location:
    """Where a daemon of this user with ``config_file`` and ``state_file`` keeps its history."""
    return Location(state_file.resolve().with_suffix(".history"), runtime_folders()[0] / link_name(config_file))
