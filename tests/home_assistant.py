"""What Home Assistant makes of our messages: the rules of its discovery, and its templates over our states.

The rules were tried on a real Home Assistant; ``scripts/check-home-assistant`` asks its own schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, StrictUndefined

TOPIC = re.compile(r"homeassistant/device/([A-Za-z0-9_-]+)/config")
DEVICE_LEVEL = {"device", "origin", "components", "state_topic", "availability", "availability_mode", "qos", "encoding"}
DEVICE = {"identifiers", "name", "model", "serial_number", "sw_version", "hw_version", "via_device", "manufacturer"}
COMMON = {
    "platform", "unique_id", "name", "device_class", "entity_category", "enabled_by_default", "expire_after",
    "value_template", "json_attributes_topic", "json_attributes_template", "availability",
}  # fmt: skip
OF_PLATFORM = {
    "sensor": {"state_class", "unit_of_measurement", "suggested_display_precision", "options"},
    "binary_sensor": {"payload_on", "payload_off"},
}
UNITS = {
    "voltage": {"V", "mV"},
    "current": {"A", "mA"},
    "power": {"W", "kW"},
    "battery": {"%"},
    "temperature": {"°C"},
    "duration": {"s", "min", "h"},
    "energy": {"Wh", "kWh"},
    "energy_storage": {"Wh", "kWh"},
}
STATE_CLASSES = {"energy": {"total", "total_increasing"}}  # the others: measurement
BINARY = {"problem", "connectivity", "running"}


def broken_rules(topic: str, payload: str) -> list[str]:
    """Every rule that a discovery message breaks."""
    match = TOPIC.fullmatch(topic)
    config = json.loads(payload)
    found = [] if match else [f"topic {topic}"]
    found += [f"key {key} at the top refuses the message" for key in config.keys() - DEVICE_LEVEL]
    found += [f"key {key} of the device refuses the message" for key in config["device"].keys() - DEVICE]
    found += [f"{key} is missing" for key in ("device", "origin", "components") if not config.get(key)]
    if match and config["device"]["identifiers"] != [match[1]]:
        found.append("the identifier is not the topic's")
    if not config["origin"].get("name"):
        found.append("no origin")
    ids = [component.get("unique_id") for component in config["components"].values()]
    if len(set(ids)) != len(ids):
        found.append("unique ids stand twice")
    for key, component in config["components"].items():
        found += [f"{key}: {text}" for text in _component(key, component)]
    return found


def _component(key: str, component: dict[str, Any]) -> Iterator[str]:
    platform = component.get("platform", "")
    if platform not in OF_PLATFORM:
        yield f"platform {platform}: only what shows, nothing that commands"
        return
    for unknown in component.keys() - COMMON - OF_PLATFORM[platform]:
        yield f"key {unknown} is not known"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(component.get("unique_id", ""))) or not component["unique_id"].endswith(
        key
    ):
        yield "no unique id"
    if component.get("entity_category", "diagnostic") != "diagnostic":
        yield "a sensor is diagnostic or nothing"
    if not component.get("expire_after"):
        yield "never expires"
    if ("json_attributes_topic" in component) != ("json_attributes_template" in component):
        yield "attributes need a topic and a template"
    yield from (_sensor if platform == "sensor" else _binary)(component)


def _sensor(component: dict[str, Any]) -> Iterator[str]:
    kind, unit, state = (component.get(key) for key in ("device_class", "unit_of_measurement", "state_class"))
    if kind == "enum":
        if not component.get("options") or unit or state:
            yield "an enum has options, no unit and no state class"
        return
    if kind and kind not in UNITS:
        yield f"device class {kind}"
    if kind and unit not in UNITS.get(kind, {unit}):
        yield f"{kind} in {unit}"
    if state and state not in STATE_CLASSES.get(kind or "", {"measurement", "total_increasing"}):
        yield f"{kind} as {state}"
    if kind and kind not in STATE_CLASSES and state != "measurement":
        yield f"{kind} as {state}"
    if unit and not state:
        yield "a number without a state class"


def _binary(component: dict[str, Any]) -> Iterator[str]:
    if component.get("device_class", "problem") not in BINARY:
        yield f"device class {component['device_class']}"
    if not {"payload_on", "payload_off"} <= component.keys():
        yield "no payloads"


def entities(config: dict[str, Any], state: str) -> dict[str, Any]:
    """What Home Assistant shows after a state: a number, a text, True, False, or None for unknown.

    Raises where Home Assistant would write an error or keep an old value: a missing key, a text in a number, an option
    that was not announced.
    """
    environment = Environment(undefined=StrictUndefined)
    shown = {}
    for key, component in config["components"].items():
        text = environment.from_string(component["value_template"]).render(value_json=json.loads(state))
        shown[key] = _value(component, text)
        if template := component.get("json_attributes_template"):
            attributes = json.loads(environment.from_string(template).render(value_json=json.loads(state)))
            assert isinstance(attributes, dict)
            shown[f"{key} attributes"] = attributes
    return shown


def _value(component: dict[str, Any], text: str) -> Any:
    if text == "None":
        return None
    if component["platform"] == "binary_sensor":
        return {component["payload_on"]: True, component["payload_off"]: False}[text]
    if "options" in component:
        assert text in component["options"]
        return text
    return float(text) if "state_class" in component else text
