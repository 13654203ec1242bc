"""The dashboard of docs/home-assistant.md: its entities exist, and its templates give the tables they promise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from jinja2 import Environment, StrictUndefined

from bank_rows import healthy
from home_assistant import entities
from packbank.model.identity import Identity
from packbank.outputs.mqtt.discovery import bank_config, pack_config
from packbank.outputs.mqtt.states import bank_state, pack_state
from packbank.outputs.mqtt.topics import Topics
from virtual_battery import snapshot

PAGE = (Path(__file__).parents[4] / "docs/home-assistant.md").read_text(encoding="utf-8")
DASHBOARD = PAGE.split("```yaml\n")[1].split("```")[0]
TOPICS = Topics("home")


@dataclass
class State:
    entity_id: str
    state: str
    attributes: dict[str, Any]


class States:
    """Home Assistant's ``states``, which is called with an id or looped over by domain."""

    def __init__(self, known: dict[str, State]) -> None:
        self.known = known
        self.binary_sensor = [state for state in known.values() if state.entity_id.startswith("binary_sensor.")]

    def __call__(self, entity: str) -> str:
        return self.known[entity].state

    def attribute(self, entity: str, name: str) -> Any:
        return self.known[entity].attributes[name]


def slug(*names: str) -> str:
    """How Home Assistant makes an id of names."""
    return re.sub(r"[^a-z0-9]+", "_", " ".join(names).lower())


def states() -> States:
    shown = snapshot(rows=healthy(2))
    pack = pack_config(TOPICS, "packbank_home_4711", "4711", Identity(serial="4711"), 16, cells_enabled=True)
    known = {}
    for config, state in ((bank_config(TOPICS), bank_state(shown)), (pack, pack_state(shown.pack(0), 16))):
        values = entities(config, state)
        for key, component in config["components"].items():
            entity = f"{component['platform']}.{slug(config['device']['name'], component['name'])}"
            value = values[key]
            text = ("off", "on")[value] if isinstance(value, bool) else str(value)
            known[entity] = State(entity, text, values.get(f"{key} attributes", {}))
    return States(known)


def test_every_entity_of_the_dashboard_exists() -> None:
    named = re.findall(r"^ +(?:- |entity: )((?:binary_)?sensor\.\w+)$", DASHBOARD, re.MULTILINE)
    assert len(named) > 15
    assert set(named) <= set(states().known)


def test_the_tables_of_the_dashboard() -> None:
    known = states()
    templates = re.findall(r"content: \|\n((?: {10}.*\n|\n)+)", DASHBOARD)
    assert len(templates) == 3
    environment = Environment(undefined=StrictUndefined)
    environment.globals |= {"states": known, "state_attr": known.attribute}
    limits, packs, cells = (environment.from_string(dedent(text)).render() for text in templates)
    assert "| CCL | 123.4 | pack 2: cell voltage, cell 12 3.470 V, carries 50% of the current |" in rows(limits)
    assert "| 4711 | ok | 50.0 | 0.0 | 3.3 | 3.3 | 0.0 | 25.0 |" in rows(packs)
    assert [row for row in rows(cells) if row.startswith("| 16 |")] == ["| 16 | 3.3 |"]


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]
