"""dbus-serialbattery's words for what we read under other names, and what of its file has no use here.

The tables serve both ``run`` on its unchanged file and ``migrate``. A key that packbank has of its own is
never translated, so these tables need no change when packbank learns one of the keys it ignores today.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from packbank.bms.registry import FAMILIES
from packbank.config.entry import Entry
from packbank.config.values import split_list

Values = Mapping[str, str]


class Kind(StrEnum):
    """What became of a key."""

    TAKEN = "taken"
    RENAMED = "renamed"
    CHANGED = "changed"
    DROPPED = "dropped"
    ADDED = "added"
    REFUSED = "refused"  # it cannot be read, and without it a limit may be higher than its owner wants


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one key of a dbus-serialbattery file: the entry it is now (or was, if dropped), and why."""

    kind: Kind
    old: str
    entry: Entry
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rename:
    """Old keys that make one new one; ``convert`` gets the section's values and raises ValueError with a reason."""

    old: tuple[str, ...]
    new: str
    convert: Callable[[Values], str] | None = None  # none: the text stays as it is; "": it says nothing
    why: str = ""


def _absolute_to_deviation(values: Values) -> str:
    """An absolute cell spread became an addition to the spread that counts as balanced."""
    restart = _volts(values["CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART"])
    old, new = "CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_UNTIL", "SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF"
    balanced = _volts(values.get(new) or values.get(old) or "0.010")
    if restart < balanced:
        raise ValueError(f"{restart:g} V is less than the {balanced:g} V that count as balanced")
    return f"{restart - balanced:.4g}"


def _volts(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number; write volts, such as 0.015") from None


def _switch(key: str, on: str, off: str) -> Callable[[Values], str]:
    def convert(values: Values) -> str:
        chosen = {"true": on, "false": off}.get(values[key].lower())
        if chosen is None:
            raise ValueError("is neither True nor False; write one of them")
        return chosen

    return convert


def _sensors(values: Values) -> str:
    sensor = values["TEMP_BATTERY"]
    return "1, 2, 3, 4" if sensor == "0" else sensor


def _charging(keys: tuple[str, ...], last: str) -> Callable[[Values], str]:
    """Three steps become a curve whose first point is ``last``: at full charge the strictest step holds."""
    return lambda values: ", ".join([last, *(values[key] for key in keys)])


def _steps(keys: tuple[str, ...]) -> Callable[[Values], str]:
    """Three steps become a curve that ends with a jump to the full current."""
    return lambda values: ", ".join([*(values[key] for key in keys), values[keys[-1]]])


def _fractions(keys: tuple[str, ...]) -> Callable[[Values], str]:
    return lambda values: ", ".join([*(values[key] for key in keys), "1"])


PROTOCOLS = {driver: name for name, family in FAMILIES.items() for driver in family.driver}


def _protocol(values: Values) -> str:
    classes = split_list(values["BMS_TYPE"])
    found = dict.fromkeys(PROTOCOLS[name.lower()] for name in classes if name.lower() in PROTOCOLS)
    if classes and not found:
        raise ValueError(f"not read by packbank, which has the protocols {', '.join(sorted(FAMILIES))}")
    if len(found) > 1:
        raise ValueError(f"a bus has one protocol; write a [bus:NAME] section for each of {', '.join(found)}")
    return next(iter(found), "")


CC_SOC = ("CC_SOC_LIMIT1", "CC_SOC_LIMIT2", "CC_SOC_LIMIT3")
CC_FRACTION = ("CC_CURRENT_LIMIT1_FRACTION", "CC_CURRENT_LIMIT2_FRACTION", "CC_CURRENT_LIMIT3_FRACTION")
DC_SOC = ("DC_SOC_LIMIT1", "DC_SOC_LIMIT2", "DC_SOC_LIMIT3")
DC_FRACTION = ("DC_CURRENT_LIMIT1_FRACTION", "DC_CURRENT_LIMIT2_FRACTION", "DC_CURRENT_LIMIT3_FRACTION")
THREE_STEPS = "three steps are points of one curve now"

# A key that was renamed twice goes straight to its last name.
RENAMES = (
    Rename(("MODBUS_ADDRESSES",), "BATTERY_ADDRESSES"),
    Rename(("BMS_TYPE",), "PROTOCOL", _protocol, "packbank names the protocol"),
    Rename(("BULK_CELL_VOLTAGE",), "SOC_RESET_CELL_VOLTAGE"),
    Rename(("BULK_AFTER_DAYS",), "SOC_RESET_AFTER_DAYS"),
    Rename(("SOC_RESET_VOLTAGE",), "SOC_RESET_CELL_VOLTAGE"),
    Rename(("SOC_CALC_CURRENT_REAL",), "CURRENT_MEASURED_BY_USER"),
    Rename(("SOC_CALC_CURRENT_MEASURED",), "CURRENT_REPORTED_BY_BMS", why="'measured' meant the BMS's own figure"),
    Rename(("SOC_CALC_CURRENT_REPORTED_BY_BMS",), "CURRENT_REPORTED_BY_BMS"),
    Rename(("SOC_CALC_CURRENT_MEASURED_BY_USER",), "CURRENT_MEASURED_BY_USER"),
    Rename(("TEMPERATURE_LIMITS_WHILE_CHARGING",), "TEMPERATURES_WHILE_CHARGING"),
    Rename(("TEMPERATURE_LIMITS_WHILE_DISCHARGING",), "TEMPERATURES_WHILE_DISCHARGING"),
    Rename(CC_SOC, "SOC_WHILE_CHARGING", _charging(CC_SOC, "100"), THREE_STEPS),
    Rename(CC_FRACTION, "MAX_CHARGE_CURRENT_SOC_FRACTION", _fractions(CC_FRACTION), THREE_STEPS),
    Rename(DC_SOC, "SOC_WHILE_DISCHARGING", _steps(DC_SOC), THREE_STEPS),
    Rename(DC_FRACTION, "MAX_DISCHARGE_CURRENT_SOC_FRACTION", _fractions(DC_FRACTION), THREE_STEPS),
    Rename(("SEPLOS_USE_BMS_VALUES",), "USE_BMS_DVCC_VALUES"),
    Rename(("FELICITY_USE_BMS_VALUES",), "USE_BMS_DVCC_VALUES"),
    Rename(("EXTERNAL_CURRENT_SENSOR_DBUS_DEVICE",), "EXTERNAL_SENSOR_DBUS_DEVICE"),
    Rename(("EXTERNAL_CURRENT_SENSOR_DBUS_PATH",), "EXTERNAL_SENSOR_DBUS_PATH_CURRENT"),
    Rename(("TEMP_BATTERY",), "TEMPERATURE_SOURCE_BATTERY", _sensors, "a list of sensors now; 0 meant all of them"),
    *(Rename((f"TEMP_{n}_NAME",), f"TEMPERATURE_{n}_NAME") for n in range(1, 5)),
    Rename(("SOC_LEVEL_TO_RESET_VOLTAGE_LIMIT",), "SWITCH_TO_BULK_SOC_THRESHOLD"),
    Rename(
        ("LINEAR_LIMITATION_ENABLE",),
        "CHARGE_MODE",
        _switch("LINEAR_LIMITATION_ENABLE", "1", "2"),
        "True is 1 (linear), False 2 (stepped)",
    ),
    Rename(("LINEAR_RECALCULATION_EVERY",), "CVL_RECALCULATION_EVERY"),
    Rename(("LINEAR_RECALCULATION_ON_PERC_CHANGE",), "CVL_RECALCULATION_ON_MAX_PERCENTAGE_CHANGE"),
    Rename(("MAX_VOLTAGE_TIME_SEC",), "SWITCH_TO_FLOAT_WAIT_FOR_SEC"),
    Rename(
        ("CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART",),
        "SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION",
        _absolute_to_deviation,
        "an absolute spread became an addition to SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF",
    ),
    Rename(("CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_UNTIL",), "SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF"),
    Rename(("CELL_VOLTAGE_DIFF_TO_RESET_VOLTAGE_LIMIT",), "SWITCH_TO_BULK_CELL_VOLTAGE_DIFF"),
    Rename(
        ("CVL_ICONTROLLER_MODE",),
        "CVL_CONTROLLER_MODE",
        _switch("CVL_ICONTROLLER_MODE", "2", "1"),
        "True is 2 (integral), False 1 (penalty)",
    ),
    Rename(("TIME_TO_SOC_LOOP_CYCLES",), "TIME_TO_SOC_RECALCULATE_EVERY"),
)

# Keys that kept their name but not their values: key -> text of the driver -> ours.
VALUES = {"INVERT_CURRENT_MEASUREMENT": {"1": "False", "-1": "True"}}

# Why a key has no effect -> the keys.
IGNORED = {
    "packbank opens the ports of its own configuration": """
        EXCLUDED_DEVICES CAN_PORT BLUETOOTH_BMS BLUETOOTH_USE_POLLING BLUETOOTH_FORCE_RESET_BLE_STACK BLUETOOTH_USE_USB
        SERIAL_STARTER_ENABLED""",
    "packs come from serial buses, or from another host's 'packbank forward'": """
        MQTT_TOPIC MQTT_BROKER_ADDRESS MQTT_BROKER_PORT MQTT_TLS_ENABLED MQTT_TLS_PATH_TO_CA MQTT_TLS_INSECURE
        MQTT_USERNAME MQTT_PASSWORD""",
    "the pace of a bus follows from what its packs answer in": "POLL_INTERVAL",
    "a pack is known by its bus and address": "USE_PORT_AS_UNIQUE_ID",
    "the bank has one over-voltage guard a pack, see docs/limits.md": "CVL_CONTROLLER_MODE CVL_ICONTROLLER_FACTOR",
    "the bank's limits fall at once and rise slowly, see docs/limits.md": """
        CVL_RECALCULATION_EVERY CVL_RECALCULATION_ON_MAX_PERCENTAGE_CHANGE""",
    "packbank writes nothing into a BMS": "AUTO_RESET_SOC",
    "one correction cannot fit the sensors of many packs; calibrate each BMS": """
        CURRENT_REPORTED_BY_BMS CURRENT_MEASURED_BY_USER TEMPERATURE_1_ADJUST TEMPERATURE_2_ADJUST TEMPERATURE_3_ADJUST
        TEMPERATURE_4_ADJUST TEMPERATURE_MOS_ADJUST""",
    "a silent pack is held, then lost by name, and the others carry on; see HELD_AFTER and LOST_AFTER": """
        BLOCK_ON_DISCONNECT BLOCK_ON_DISCONNECT_TIMEOUT_MINUTES BLOCK_ON_DISCONNECT_VOLTAGE_MIN
        BLOCK_ON_DISCONNECT_VOLTAGE_MAX""",
    "a shunt measures the bank, not a pack; see CURRENT_FROM and SOC_FROM": """
        EXTERNAL_SENSOR_DBUS_DEVICE EXTERNAL_SENSOR_DBUS_PATH_CURRENT EXTERNAL_SENSOR_DBUS_PATH_SOC""",
    "always on": "HISTORY_ENABLE TIME_TO_GO_ENABLE",
    "not published": """
        PUBLISH_CONFIG_VALUES PUBLISH_BATTERY_DATA_AS_JSON BATTERY_CELL_DATA_FORMAT MIDPOINT_ENABLE TEMPERATURE_1_NAME
        TEMPERATURE_2_NAME TEMPERATURE_3_NAME TEMPERATURE_4_NAME GUI_PARAMETERS_SHOW_ADDITIONAL_INFO TIME_TO_SOC_POINTS
        TIME_TO_SOC_VALUE_TYPE TIME_TO_SOC_RECALCULATE_EVERY TIME_TO_SOC_INC_FROM""",
    "packbank changes nothing in the GUI": "GUI_INSTALL_CUSTOMIZATIONS",
    "packbank sends nothing to anybody": "TELEMETRY",
    "see 'packbank run --capture'": """
        BMS_CAPTURE_RAW_DATA BMS_CAPTURE_RAW_DATA_MAX_SIZE_MB BMS_CAPTURE_RAW_DATA_BACKUP_COUNT""",
    "of the packs that packbank reads, none sets the charge voltage this way": "USE_BMS_DVCC_VALUES",
    "for hardware that packbank does not read": """
        UP16S_REQUIRE_DIRECT_CONNECTION GREENMETER_ADDRESS LIPRO_START_ADDRESS LIPRO_END_ADDRESS LIPRO_CELL_COUNT
        UBMS_CAN_MODULE_SERIES UBMS_CAN_MODULE_PARALLEL HELTEC_MODBUS_ADDR CAN_SPEED JKBMS_CAN_CELL_COUNT""",
    "dbus-serialbattery itself has dropped it": """
        PENALTY_AT_CELL_VOLTAGE PENALTY_BATTERY_VOLTAGE CUSTOM_BATTERY_NAMES SOC_RESET_CURRENT SOC_RESET_TIME""",
}


def translate(entries: Mapping[str, Entry], known: Collection[str]) -> tuple[dict[str, Entry], list[Change]]:
    """A section's entries under our names; the second part says what became of each that is not as it was.

    ``known`` are packbank's own keys. Entries that neither are known nor ever were a key of dbus-serialbattery
    stay as they are, for the caller to complain about.
    """
    left = dict(entries)
    changes: list[Change] = []
    for rename in RENAMES:
        present = [left[key] for key in rename.old if key in left and key not in known]
        if present:
            for entry in present:
                del left[entry.key]
            changes += _rename(rename, present, left)
    for key, values in VALUES.items():
        if key in left and left[key].value in values:
            left[key] = replace(left[key], value=values[left[key].value])
            changes.append(Change(Kind.CHANGED, key, left[key], "a factor became a switch"))
    reasons = {key: why for why, keys in IGNORED.items() for key in keys.split()}
    for key in [key for key in left if key in reasons and key not in known]:
        changes.append(Change(Kind.DROPPED, key, left.pop(key), reasons[key]))
    return left, changes


def _rename(rename: Rename, present: list[Entry], left: dict[str, Entry]) -> list[Change]:
    """Put the new entry into ``left``, unless something forbids it; an old name gives way to the new one."""

    def gone(kind: Kind, why: str) -> list[Change]:
        return [Change(kind, entry.key, entry, why) for entry in present]

    if rename.new in left:
        return gone(Kind.DROPPED, f"{rename.new}, its new name, is in the file too and wins")
    if len(present) < len(rename.old):
        return gone(Kind.REFUSED, f"makes sense only together with {', '.join(rename.old)}; write them too, or none")
    text = present[0].value
    if rename.convert is not None:
        values = {key: entry.value for key, entry in left.items()} | {entry.key: entry.value for entry in present}
        try:
            text = rename.convert(values)
        except ValueError as error:
            return gone(Kind.REFUSED, str(error))
        if not text:
            return gone(Kind.DROPPED, f"is empty; {rename.new} has its default then")
    left[rename.new] = replace(present[0], key=rename.new, value=text)
    kind = Kind.RENAMED if text == present[0].value else Kind.CHANGED
    return [Change(kind, entry.key, left[rename.new], rename.why) for entry in present]
