"""What is announced to Home Assistant of the bank and of a pack: one message a device, made from the catalogue.

The rules are those of Home Assistant's device discovery: a key that it does not know refuses the whole message, a
value that is missing from a state keeps its old one, a unit must fit the device class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from packbank import __version__
from packbank.model.catalogue import BANK, PACK, Entity, Quantity, Unit
from packbank.model.identity import Identity
from packbank.outputs.mqtt.topics import Topics, clean

EXPIRE_AFTER = 120  # s without a state after which a value is unavailable, whatever the status says

Config = dict[str, Any]


def bank_config(topics: Topics) -> Config:
    """The bank's device."""
    components = dict(_components(BANK, topics.state, topics.device, 0, cells_enabled=False))
    return {
        "device": {
            "identifiers": [topics.device],
            "name": f"packbank {topics.bank}",
            "model": "virtual battery",
            "sw_version": __version__,
        },
        "origin": _origin(),
        "state_topic": topics.state,
        "availability": _availability(topics.status),
        "availability_mode": "all",
        "components": components,
    }


def pack_config(
    topics: Topics, device: str, name: str, identity: Identity, cells: int, *, cells_enabled: bool
) -> Config:
    """A pack's device; ``name`` comes behind the bank's, ``cells`` is how many cells its states have."""
    components = dict(_components(PACK, topics.pack_state(device), device, cells, cells_enabled=cells_enabled))
    for component in components.values():
        if component.get("device_class") == "connectivity":  # says so itself when the pack is away
            component["availability"] = _availability(topics.status)
    known = {
        "model": identity.model,
        "serial_number": identity.serial,
        "sw_version": identity.software,
        "hw_version": identity.hardware,
    }
    return {
        "device": {
            "identifiers": [device],
            "name": f"packbank {topics.bank} {name}",
            **{key: text for key, text in known.items() if text},
            "via_device": topics.device,
        },
        "origin": _origin(),
        "state_topic": topics.pack_state(device),
        "availability": _availability(topics.status, topics.pack_status(device)),
        "availability_mode": "all",
        "components": components,
    }


def _origin() -> Config:
    return {"name": "packbank", "sw_version": __version__}


def _availability(*topics: str) -> list[Config]:
    return [{"topic": topic} for topic in topics]


def _components(
    table: Sequence[Quantity[Any]], topic: str, device: str, elements: int, *, cells_enabled: bool
) -> Iterator[tuple[str, Config]]:
    """The entities of ``table`` by key; a row with ``size`` has one for each of its first ``elements``."""
    for row in table:
        if row.entity is None:
            continue
        key = clean(row.key.removesuffix(".value").replace(".", "_"))
        if not row.size:
            yield key, _component(row, row.entity, topic, f"{device}_{key}", row.key, row.entity.name)
            continue
        for number in range(1, elements + 1):
            name, where = row.entity.name.format(number), f"{row.key}[{number - 1}]"
            component = _component(row, row.entity, topic, f"{device}_{key}_{number}", where, name)
            if cells_enabled:
                component.pop("enabled_by_default", None)
            yield f"{key}_{number}", component


def _component(row: Quantity[Any], entity: Entity, topic: str, unique_id: str, where: str, name: str) -> Config:
    """One entity; ``where`` is its value in the state, which comes to ``topic``."""
    component: Config = {
        "platform": "sensor",
        "unique_id": unique_id,
        "name": name,
        "value_template": f"{{{{ value_json.{where} }}}}",
        "expire_after": EXPIRE_AFTER,
    }
    if row.device_class:
        component["device_class"] = row.device_class
    if row.unit is Unit.FLAG or row.device_class == "problem":
        on, off = ("True", "False") if row.unit is Unit.FLAG else ("1", "0")
        component |= {"platform": "binary_sensor", "payload_on": on, "payload_off": off}
    elif row.unit is not Unit.TEXT:
        component |= _number(row, entity, where)
    if entity.options:
        component["options"] = list(entity.options)
    if entity.diagnostic:
        component["entity_category"] = "diagnostic"
    if not entity.enabled:
        component["enabled_by_default"] = False
    if entity.details:
        component |= {"json_attributes_topic": topic, "json_attributes_template": _details(row, entity.details)}
    return component


def _number(row: Quantity[Any], entity: Entity, where: str) -> Config:
    number: Config = {"state_class": entity.state_class}
    if unit := entity.unit or row.unit.unit:
        number["unit_of_measurement"] = unit
    if row.unit.kind is float:
        number["suggested_display_precision"] = row.unit.digits if entity.precision is None else entity.precision
    if entity.factor != 1.0:
        value = f"value_json.{where}"
        number["value_template"] = (
            f"{{{{ none if {value} is none else ({value} * {entity.factor:g}) | round({entity.precision or 0}) }}}}"
        )
    return number


def _details(row: Quantity[Any], key: str) -> str:
    """The group that ``row`` is in goes along whole; a single key under its own name."""
    if row.key.startswith(f"{key}."):
        return f"{{{{ value_json.{key} | tojson }}}}"
    return f"{{{{ {{'{key}': value_json.{key}}} | tojson }}}}"
