"""Every key of ``config.ini``, taken from the dataclasses that hold the values: name, type, range, meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, partial
from typing import Any, get_type_hints

from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.config.model import (
    CONFIG_VERSION,
    BusConfig,
    Config,
    HistoryConfig,
    HostConfig,
    MqttConfig,
    PackConfig,
    ServiceConfig,
    WebConfig,
)
from packbank.config.values import (
    parse_addresses,
    parse_broker,
    parse_host,
    parse_host_packs,
    parse_hosts,
    parse_label,
    parse_listen,
    parse_path,
    parse_topic_name,
    parse_value,
)

Keys = Mapping[str, "Key"]

NAMES = {"addresses": "BATTERY_ADDRESSES", "log_level": "LOGGING"}  # where users know another name than the field's


def parse_version(text: str) -> int:
    """The version of a file's keys; a ValueError when this program is too old for it."""
    version: int = parse_value(text, hint=int)
    if not 1 <= version <= CONFIG_VERSION:
        raise ValueError(f"this packbank reads version {CONFIG_VERSION} and older; update packbank")
    return version


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "addresses": parse_addresses,
    "config_version": parse_version,
    "broker": parse_broker,
    "bank": parse_topic_name,
    "name": parse_label,
    "product_name": parse_label,
    "custom_name": parse_label,
    "host": parse_host,
    "packs": parse_host_packs,
    "ca": parse_path,
    "certificate": parse_path,
    "password_file": parse_path,
    "listen": parse_listen,
    "hosts": parse_hosts,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: where its value goes and what it may be."""

    name: str  # as in the file
    field: str  # as in the dataclass
    default: Any
    meaning: str
    unit: str
    low: float | None
    high: float | None
    convert: Callable[[str], Any]

    def parse(self, text: str) -> Any:
        """The value of ``text``; a ``ValueError`` says what is wrong with it and what to write."""
        value = self.convert(text)
        for element in value if isinstance(value, tuple) else (value,):
            below = self.low is not None and element is not None and element < self.low
            above = self.high is not None and element is not None and element > self.high
            if below or above:
                raise ValueError(f"{element:g} is out of range; write {self.range}")
        return value

    @property
    def range(self) -> str:
        """The allowed values for people, with the unit: ``2 to 4.5 V``; empty when anything goes."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}{unit}"
        if self.low is not None:
            return f"{self.low:g}{unit} or more"
        return f"{self.high:g}{unit} or less" if self.high is not None else ""


def pack_keys() -> Keys:
    """What each pack may have of its own: allowed in [DEFAULT], [bus:...] and [pack:...]."""
    return _keys(PackSettings)


def reading_keys() -> Keys:
    """How a pack's answers are read: allowed where :func:`pack_keys` are."""
    return _keys(PackConfig, ("invert_current_measurement",))


def bank_keys() -> Keys:
    """What holds for the bank as a whole: allowed in [DEFAULT]."""
    return _keys(BankSettings)


def service_keys() -> Keys:
    """How the battery appears on D-Bus: allowed in [DEFAULT]."""
    return _keys(ServiceConfig)


def program_keys() -> Keys:
    """The program's own: allowed in [DEFAULT]."""
    return _keys(Config, ("config_version", "log_level", "state_file"))


def bus_keys() -> Keys:
    """How packs are reached: allowed in [bus:...], and in [DEFAULT] for every bus or the only one."""
    return _keys(BusConfig, ("port", "protocol", "baudrates", "addresses", "mode"))


def name_keys() -> Keys:
    """What only a [pack:...] section may hold."""
    return _keys(PackConfig, ("name",))


def mqtt_keys() -> Keys:
    """The broker, and what is published to it: allowed in [mqtt]."""
    return _keys(MqttConfig)


def web_keys() -> Keys:
    """Where the page is served, and under which names: allowed in [web]."""
    return _keys(WebConfig)


def history_keys() -> Keys:
    """What is kept of the past: allowed in [history]."""
    return _keys(HistoryConfig)


def login_keys() -> Keys:
    """Where a broker is, and as whom: in [host:...] for that host, else those of [mqtt] hold."""
    return _keys(MqttConfig, ("broker", "username", "password_file", "ca", "certificate", "bank"))


def host_keys() -> Keys:
    """Another host that sends packs: allowed in [host:...]."""
    return {**login_keys(), **_keys(HostConfig, ("packs",))}


@cache
def _keys(owner: type, chosen: tuple[str, ...] = ()) -> Keys:
    hints = get_type_hints(owner)
    found = {}
    for field in fields(owner):
        if chosen and field.name not in chosen:
            continue
        name = NAMES.get(field.name, field.name.upper())
        metadata = field.metadata
        found[name] = Key(
            name=name,
            field=field.name,
            default=None if field.default is MISSING else field.default,
            meaning=metadata.get("meaning", ""),
            unit=metadata.get("unit", ""),
            low=metadata.get("low"),
            high=metadata.get("high"),
            convert=_PARSERS.get(field.name) or partial(parse_value, hint=hints[field.name]),
        )
    return found
