"""What outputs need to be right beyond each key: the sections that switch them on, and names of D-Bus services."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from ipaddress import ip_address

from packbank.config import keys
from packbank.config.entry import Entry
from packbank.config.model import HistoryConfig, MqttConfig, WebConfig
from packbank.config.problems import Problem
from packbank.config.sections import Parsed
from packbank.config.values import split_listen

SYSTEM = "com.victronenergy.system"
OURS = "com.victronenergy.battery.packbank"
LONGEST_SERVICE = 255  # characters; the D-Bus specification, names
_BATTERY = re.compile(r"com\.victronenergy\.battery(\.[A-Za-z_-][A-Za-z0-9_-]*)+")


def wrong_service(service: str) -> str:
    """Why a bank's current or SoC cannot come from this D-Bus service; empty when it can."""
    if service == OURS or service.startswith(f"{OURS}_"):
        return "is this bank itself; name the shunt's service, see 'dbus -y'"
    fits = len(service) <= LONGEST_SERVICE and _BATTERY.fullmatch(service)
    if not service or service == SYSTEM or fits:
        return ""
    return f"write the name of a battery service such as com.victronenergy.battery.ttyUSB1 (a SmartShunt), or {SYSTEM}"


def service_problems(parsed: Parsed) -> Iterator[Problem]:
    """The keys of [DEFAULT] that name a service which can be none."""
    for key in ("CURRENT_FROM", "SOC_FROM"):
        entry = parsed.default.entries.get(key)
        if entry is not None and (text := wrong_service(entry.value)):
            yield Problem(entry, text)


def build_mqtt(parsed: Parsed) -> MqttConfig | None:
    """What [mqtt] asks for, ``None`` when there is no such section; problems go to ``parsed.problems``."""
    section = parsed.outputs.get("mqtt")
    if section is None:
        return None
    mqtt = MqttConfig(**section.pick(keys.mqtt_keys()))
    wrong = {problem.entry.key for problem in parsed.problems if problem.entry.section == section.name}
    for key, text in wrong_with_mqtt(mqtt, wrong):
        parsed.problems.append(Problem(section.entries.get(key, Entry(section.name, key, "")), text))
    return mqtt


def build_web(parsed: Parsed) -> WebConfig | None:
    """What [web] asks for, ``None`` when there is no such section."""
    section = parsed.outputs.get("web")
    return None if section is None else WebConfig(**section.pick(keys.web_keys()))


def open_to_others(web: WebConfig | None) -> Iterator[str]:
    """A warning when the page can be read from other machines."""
    if web is not None and not ip_address(split_listen(web.listen)[0]).is_loopback:
        yield (
            f"[web] LISTEN = {web.listen}: whoever reaches this machine there can read the bank, without a password; "
            "nothing can be changed from there"
        )


def build_history(parsed: Parsed) -> HistoryConfig:
    """What [history] asks for; history is kept without such a section too."""
    section = parsed.outputs.get("history")
    return HistoryConfig(**section.pick(keys.history_keys())) if section else HistoryConfig()


def wrong_with_mqtt(mqtt: MqttConfig, wrong: Set[str]) -> Iterator[tuple[str, str]]:
    """Keys of a broker that do not go together, and why, but those in ``wrong``."""
    if mqtt.password_file and not mqtt.username and "USERNAME" not in wrong:
        yield "PASSWORD_FILE", "belongs to a user; write USERNAME too"
    if mqtt.ca and mqtt.certificate:
        yield "CERTIFICATE", "is the only certificate that would be taken; remove CA, or this"
    if "BROKER" not in wrong and not mqtt.broker.startswith("mqtts:"):
        for key, value in (("CA", mqtt.ca), ("CERTIFICATE", mqtt.certificate)):
            if value:
                yield key, "has no use without TLS; let BROKER begin with mqtts://"
