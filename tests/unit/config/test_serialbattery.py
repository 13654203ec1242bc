from __future__ import annotations

import pytest

from packbank.config.problems import Entry
from packbank.config.sections import default_keys
from packbank.config.serialbattery import IGNORED, RENAMES, Change, Kind, translate

# Every key of dbus-serialbattery 2.1, and those that its older versions had.
DRIVER_KEYS = """
AUTO_RESET_SOC BATTERY_ADDRESSES BATTERY_CAPACITY BATTERY_CELL_DATA_FORMAT BLOCK_ON_DISCONNECT
BLOCK_ON_DISCONNECT_TIMEOUT_MINUTES BLOCK_ON_DISCONNECT_VOLTAGE_MAX BLOCK_ON_DISCONNECT_VOLTAGE_MIN BLUETOOTH_BMS
BLUETOOTH_FORCE_RESET_BLE_STACK BLUETOOTH_USE_POLLING BLUETOOTH_USE_USB BMS_CABLE_ALARM BMS_CAPTURE_RAW_DATA
BMS_CAPTURE_RAW_DATA_BACKUP_COUNT BMS_CAPTURE_RAW_DATA_MAX_SIZE_MB BMS_TYPE CAN_PORT CCCM_CV_ENABLE CCCM_SOC_ENABLE
CCCM_T_ENABLE CCCM_T_MOSFET_ENABLE CCL_RECOVERY_HOLD_SEC CCL_RECOVERY_RATE_A_PER_SEC CELL_VOLTAGES_WHILE_CHARGING
CELL_VOLTAGES_WHILE_DISCHARGING CHARGE_CURRENT_RECOVERY_THRESHOLD_PERCENT CHARGE_MODE CURRENT_MEASURED_BY_USER
CURRENT_REPORTED_BY_BMS CVCM_ENABLE CVL_CONTROLLER_MODE CVL_ICONTROLLER_FACTOR CVL_RECALCULATION_EVERY
CVL_RECALCULATION_ON_MAX_PERCENTAGE_CHANGE CVL_RECOVERY_HOLD_SEC CVL_RECOVERY_RATE_V_PER_SEC DCCM_CV_ENABLE
DCCM_SOC_ENABLE DCCM_T_ENABLE DCCM_T_MOSFET_ENABLE DCL_RECOVERY_HOLD_SEC DCL_RECOVERY_RATE_A_PER_SEC
DISCHARGE_CURRENT_RECOVERY_THRESHOLD_PERCENT EXCLUDED_DEVICES EXTERNAL_SENSOR_DBUS_DEVICE
EXTERNAL_SENSOR_DBUS_PATH_CURRENT EXTERNAL_SENSOR_DBUS_PATH_SOC FLOAT_CELL_VOLTAGE GREENMETER_ADDRESS
GUI_INSTALL_CUSTOMIZATIONS GUI_PARAMETERS_SHOW_ADDITIONAL_INFO HISTORY_ENABLE INVERT_CURRENT_MEASUREMENT
LIPRO_CELL_COUNT LIPRO_END_ADDRESS LIPRO_START_ADDRESS LOGGING MAX_BATTERY_CHARGE_CURRENT
MAX_BATTERY_DISCHARGE_CURRENT MAX_CELL_VOLTAGE MAX_CHARGE_CURRENT_CV_FRACTION MAX_CHARGE_CURRENT_SOC_FRACTION
MAX_CHARGE_CURRENT_T_FRACTION MAX_CHARGE_CURRENT_T_MOSFET_FRACTION MAX_DISCHARGE_CURRENT_CV_FRACTION
MAX_DISCHARGE_CURRENT_SOC_FRACTION MAX_DISCHARGE_CURRENT_T_FRACTION MAX_DISCHARGE_CURRENT_T_MOSFET_FRACTION
MIDPOINT_ENABLE MIN_CELL_VOLTAGE MOSFET_TEMPERATURES_WHILE_CHARGING MOSFET_TEMPERATURES_WHILE_DISCHARGING
MQTT_BROKER_ADDRESS MQTT_BROKER_PORT MQTT_PASSWORD MQTT_TLS_ENABLED MQTT_TLS_INSECURE MQTT_TLS_PATH_TO_CA MQTT_TOPIC
MQTT_USERNAME POLL_INTERVAL PUBLISH_BATTERY_DATA_AS_JSON PUBLISH_CONFIG_VALUES SERIAL_STARTER_ENABLED SOC_CALCULATION
SOC_LOW_ALARM SOC_LOW_WARNING SOC_RESET_AFTER_DAYS SOC_RESET_CELL_VOLTAGE SOC_WHILE_CHARGING SOC_WHILE_DISCHARGING
SWITCH_TO_BULK_CELL_VOLTAGE_DIFF SWITCH_TO_BULK_SOC_THRESHOLD SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION
SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF SWITCH_TO_FLOAT_WAIT_FOR_SEC TELEMETRY TEMPERATURES_WHILE_CHARGING
TEMPERATURES_WHILE_DISCHARGING TEMPERATURE_1_ADJUST TEMPERATURE_1_NAME TEMPERATURE_2_ADJUST TEMPERATURE_2_NAME
TEMPERATURE_3_ADJUST TEMPERATURE_3_NAME TEMPERATURE_4_ADJUST TEMPERATURE_4_NAME TEMPERATURE_MOS_ADJUST
TEMPERATURE_SOURCE_BATTERY TIME_TO_GO_ENABLE TIME_TO_SOC_INC_FROM TIME_TO_SOC_POINTS TIME_TO_SOC_RECALCULATE_EVERY
TIME_TO_SOC_VALUE_TYPE UBMS_CAN_MODULE_PARALLEL UBMS_CAN_MODULE_SERIES UP16S_REQUIRE_DIRECT_CONNECTION
USE_BMS_DVCC_VALUES USE_PORT_AS_UNIQUE_ID VOLTAGE_DROP
CAN_SPEED CUSTOM_BATTERY_NAMES HELTEC_MODBUS_ADDR JKBMS_CAN_CELL_COUNT PENALTY_AT_CELL_VOLTAGE PENALTY_BATTERY_VOLTAGE
SOC_RESET_CURRENT SOC_RESET_TIME
"""


def translated(known: set[str], **values: str) -> tuple[dict[str, str], list[Change]]:
    entries = {key: Entry("DEFAULT", key, value, 1) for key, value in values.items()}
    left, changes = translate(entries, known)
    return {key: entry.value for key, entry in left.items()}, changes


@pytest.mark.parametrize("key", DRIVER_KEYS.split())
def test_every_key_of_the_driver_is_ours_renamed_or_ignored_with_a_reason(key: str) -> None:
    known = set(default_keys())
    _, changes = translated(known, **{key: "1"})
    assert key in known or (changes and all(change.why for change in changes if change.kind is Kind.DROPPED))


def test_the_tables_name_every_key_once_and_none_of_ours() -> None:
    names = [key for keys in IGNORED.values() for key in keys.split()]
    names += {key for rename in RENAMES for key in rename.old}
    assert sorted(names) == sorted(set(names))
    assert not set(names) & set(default_keys())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"MODBUS_ADDRESSES": "0x01, 0x02"}, {"BATTERY_ADDRESSES": "0x01, 0x02"}),
        ({"BMS_TYPE": "Jkbms_pb"}, {"PROTOCOL": "jkpb"}),
        ({"BMS_TYPE": "Lifepower"}, {"PROTOCOL": "eg4"}),
        ({"BMS_TYPE": "EG4_Lifepower, LltJbd"}, {"PROTOCOL": "eg4"}),
        ({"BULK_CELL_VOLTAGE": "3.6"}, {"SOC_RESET_CELL_VOLTAGE": "3.6"}),
        (
            {"SOC_RESET_VOLTAGE": "3.6", "BULK_AFTER_DAYS": "30"},
            {"SOC_RESET_CELL_VOLTAGE": "3.6", "SOC_RESET_AFTER_DAYS": "30"},
        ),
        ({"TEMP_BATTERY": "0"}, {"TEMPERATURE_SOURCE_BATTERY": "1, 2, 3, 4"}),
        ({"TEMP_BATTERY": "2"}, {"TEMPERATURE_SOURCE_BATTERY": "2"}),
        ({"LINEAR_LIMITATION_ENABLE": "True"}, {"CHARGE_MODE": "1"}),
        ({"LINEAR_LIMITATION_ENABLE": "False"}, {"CHARGE_MODE": "2"}),
        ({"SOC_LEVEL_TO_RESET_VOLTAGE_LIMIT": "90"}, {"SWITCH_TO_BULK_SOC_THRESHOLD": "90"}),
        (
            {"CC_SOC_LIMIT1": "98", "CC_SOC_LIMIT2": "95", "CC_SOC_LIMIT3": "90"},
            {"SOC_WHILE_CHARGING": "100, 98, 95, 90"},
        ),
        (
            {"DC_SOC_LIMIT1": "10", "DC_SOC_LIMIT2": "20", "DC_SOC_LIMIT3": "30"},
            {"SOC_WHILE_DISCHARGING": "10, 20, 30, 30"},
        ),
        (
            {f"DC_CURRENT_LIMIT{step}_FRACTION": value for step, value in ((1, "0.1"), (2, "0.3"), (3, "0.5"))},
            {"MAX_DISCHARGE_CURRENT_SOC_FRACTION": "0.1, 0.3, 0.5, 1"},
        ),
        (
            {"CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.013"},
            {"SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION": "0.003"},
        ),
        (
            {
                "CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.013",
                "CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_UNTIL": "0.005",
            },
            {"SWITCH_TO_FLOAT_CELL_VOLTAGE_DEVIATION": "0.008", "SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF": "0.005"},
        ),
    ],
)
def test_old_names_and_values_become_new_ones(old: dict[str, str], new: dict[str, str]) -> None:
    left, changes = translated(set(default_keys()), **old)
    assert left == new
    assert {change.old for change in changes} == set(old)
    assert {change.kind for change in changes} <= {Kind.RENAMED, Kind.CHANGED}


@pytest.mark.parametrize(
    ("old", "why"),
    [
        ({"CC_SOC_LIMIT1": "98"}, "makes sense only together with CC_SOC_LIMIT1, CC_SOC_LIMIT2, CC_SOC_LIMIT3"),
        ({"BMS_TYPE": "LltJbd"}, "none of these is a protocol of packbank; it has daly, eg4, jkbms, jkpb"),
        ({"BMS_TYPE": "Jkbms_pb, Daly"}, "a bus has one protocol; write a [bus:NAME] section for each of jkpb, daly"),
        (
            {"CELL_VOLTAGE_DIFF_KEEP_MAX_VOLTAGE_TIME_RESTART": "0.002"},
            "0.002 V is less than the 0.01 V that count as balanced",
        ),
        # One address would make a bank of one pack out of a balancer's number.
        ({"HELTEC_MODBUS_ADDR": "1"}, "for hardware that packbank does not read"),
    ],
)
def test_what_cannot_be_translated_is_dropped_with_the_reason(old: dict[str, str], why: str) -> None:
    left, changes = translated(set(default_keys()), **old)
    assert left == {}
    assert [(change.kind, change.why) for change in changes] == [(Kind.DROPPED, why)]


def test_a_new_name_wins_over_its_old_one() -> None:
    left, (change,) = translated({"BATTERY_ADDRESSES"}, MODBUS_ADDRESSES="0x01", BATTERY_ADDRESSES="0x02")
    assert left == {"BATTERY_ADDRESSES": "0x02"}
    assert change.why == "BATTERY_ADDRESSES, its new name, is in the file too and wins"


def test_an_unknown_key_is_left_to_the_caller() -> None:
    assert translated(set(), NONSENSE="1") == ({"NONSENSE": "1"}, [])
