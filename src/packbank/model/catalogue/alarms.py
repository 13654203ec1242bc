"""What each alarm means, for people and as one of Victron's error numbers."""

from packbank.model.columns import Alarm

ALARM_TITLES = {
    Alarm.LOW_VOLTAGE: "a pack's voltage is below its protection",
    Alarm.HIGH_VOLTAGE: "a pack's voltage is above its protection",
    Alarm.LOW_CELL_VOLTAGE: "a cell is below its protection",
    Alarm.HIGH_CELL_VOLTAGE: "a cell is above its protection",
    Alarm.LOW_SOC: "the charge left is low",
    Alarm.HIGH_CHARGE_CURRENT: "a pack is charged with more than it allows",
    Alarm.HIGH_DISCHARGE_CURRENT: "a pack is discharged with more than it allows, or met a short circuit",
    Alarm.CELL_IMBALANCE: "the cells of a pack differ too much, or a sense wire has a high resistance",
    Alarm.INTERNAL_FAILURE: "a BMS reports a fault of its own, or its current sensor is wrong",
    Alarm.HIGH_CHARGE_TEMPERATURE: "a pack is too warm to be charged",
    Alarm.LOW_CHARGE_TEMPERATURE: "a pack is too cold to be charged",
    Alarm.HIGH_TEMPERATURE: "a pack is too warm to be discharged",
    Alarm.LOW_TEMPERATURE: "a pack is too cold to be discharged",
    Alarm.HIGH_INTERNAL_TEMPERATURE: "the MOSFETs of a BMS are too hot",
    Alarm.BATTERY_TEMPERATURE_SENSOR: "a temperature sensor is missing or broken",
    Alarm.CONTACTOR: "a MOSFET or contactor does not switch as commanded",
    Alarm.BMS_CABLE: "a pack does not answer",
    Alarm.STATE_OF_HEALTH: "a pack's state of health is below 70 % (warning) or 50 % (alarm)",
}

# The error numbers of Victron's BMSes, for which the GX has texts (veutil, VE_REG_BMS_ERROR). An alarm that none of
# them describes has no number.
ERROR_NUMBERS = {
    Alarm.LOW_VOLTAGE: 14,
    Alarm.HIGH_VOLTAGE: 13,
    Alarm.LOW_CELL_VOLTAGE: 14,
    Alarm.HIGH_CELL_VOLTAGE: 13,
    Alarm.INTERNAL_FAILURE: 11,
    Alarm.HIGH_CHARGE_TEMPERATURE: 15,
    Alarm.LOW_CHARGE_TEMPERATURE: 16,
    Alarm.HIGH_TEMPERATURE: 15,
    Alarm.LOW_TEMPERATURE: 16,
    Alarm.HIGH_INTERNAL_TEMPERATURE: 15,
    Alarm.CONTACTOR: 26,
    Alarm.BMS_CABLE: 32,
}
