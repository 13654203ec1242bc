"""Checks device announcements against Home Assistant's own schemas and templates; runs in Home Assistant's Python.

``scripts/check-home-assistant`` pipes what ``payloads.py`` prints into it. Exit code 1 when something is refused.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from asyncio import run
from typing import Any

import voluptuous as vol
from homeassistant.components.mqtt import binary_sensor, sensor
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA, SHARED_OPTIONS
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

PLATFORMS = {"sensor": sensor.DISCOVERY_SCHEMA, "binary_sensor": binary_sensor.DISCOVERY_SCHEMA}


def component_of(config: dict[str, Any], key: str) -> dict[str, Any]:
    """A component with what it shares with the others, as discovery puts it together."""
    shared = {option: config[option] for option in SHARED_OPTIONS if option in config}
    own = {name: value for name, value in config["components"][key].items() if name != "platform"}
    return shared | own | {"device": config["device"], "origin": config["origin"]}


def check(core: HomeAssistant, line: dict[str, Any]) -> list[str]:
    config, found = line["config"], []
    try:
        DEVICE_DISCOVERY_SCHEMA(json.loads(json.dumps(config)))
    except vol.Invalid as error:
        found.append(f"{line['topic']}: {error}")
    for key, component in config["components"].items():
        try:
            checked = PLATFORMS[component["platform"]](component_of(config, key))
        except vol.Invalid as error:
            found.append(f"{line['topic']} {key}: {error}")
            continue
        dropped = component.keys() - {"platform"} - {str(name) for name in checked}
        found += [f"{line['topic']} {key}: {name} is dropped" for name in dropped]
        found += [
            f"{line['topic']} {key}: {text}" for state in line["states"] for text in values(core, component, state)
        ]
    return found


def values(core: HomeAssistant, component: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """What Home Assistant's template engine cannot make a value of."""
    payload = json.dumps(state)
    shown = Template(component["value_template"], core).async_render_with_possible_json_value(payload, "ERROR")
    found = [] if shown != "ERROR" else ["its template fails"]
    if "state_class" in component and shown != "None":
        try:
            float(shown)
        except ValueError:
            found.append(f"{shown!r} is no number")
    if "options" in component and shown not in component["options"]:
        found.append(f"{shown!r} is no option")
    if "payload_on" in component and shown not in {component["payload_on"], component["payload_off"], "None"}:
        found.append(f"{shown!r} is neither on nor off")
    if template := component.get("json_attributes_template"):
        attributes = Template(template, core).async_render_with_possible_json_value(payload, "ERROR")
        if not isinstance(json.loads(attributes), dict):
            found.append("its attributes are no object")
    return found


async def main() -> int:
    logging.basicConfig(level=logging.WARNING)
    lines = [json.loads(line) for line in sys.stdin]
    with tempfile.TemporaryDirectory() as folder:
        core = HomeAssistant(folder)
        found = [text for line in lines for text in check(core, line)]
        await core.async_stop(force=True)
    count = sum(len(line["config"]["components"]) for line in lines)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"Home Assistant {__version__}: {len(lines)} devices, {count} entities, {len(found)} refused")
    return 1 if found or not lines else 0


sys.exit(run(main()))
