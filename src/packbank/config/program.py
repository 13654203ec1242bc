"""What ``run`` needs to start beyond values that are right: a state that it can use, and what outputs are made with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from packbank import state
from packbank.config.entry import Entry
from packbank.config.model import Config
from packbank.config.problems import Problem
from packbank.errors import ConfigError

STATE_SUFFIX = ".state.json"


def state_path(config_file: Path, config: Config, chosen: Path | None = None) -> Path:
    """Where the state of ``config_file`` is kept; ``chosen`` on the command line comes first."""
    if chosen:
        return chosen
    return Path(config.state_file) if config.state_file else config_file.with_suffix(STATE_SUFFIX)


def hindrances(config_file: Path, config: Config, state_file: Path | None) -> Iterator[Problem]:
    """Why ``run`` would not start on this machine, although the file is right."""
    try:
        with suppress(OSError):  # run says so in its log, and begins without history
            state.check(state_path(config_file, config, state_file))
    except ConfigError as error:
        yield Problem(Entry("", "", ""), str(error))
    if config.web and find_spec("h11") is None:
        yield Problem(Entry("web", "", ""), "needs h11: pip install 'packbank[web]', or remove that section")
    if find_spec("paho") is None:
        for title in (*(f"host:{host.name}" for host in config.hosts[:1]), *(["mqtt"] if config.mqtt else [])):
            yield Problem(Entry(title, "", ""), "needs paho-mqtt: pip install 'packbank[mqtt]', or remove that section")
