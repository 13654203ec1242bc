"""What each alarm means, for people."""

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
    Alarm.INTERNAL_FAILURE: "a BMS reports a fault of its own",
    Alarm.HIGH_CHARGE_TEMPERATURE: "a pack is too warm to be charged",
    Alarm.LOW_CHARGE_TEMPERATURE: "a pack is too cold to be charged",
    Alarm.HIGH_TEMPERATURE: "a pack is too warm to be discharged",
    Alarm.LOW_TEMPERATURE: "a pack is too cold to be discharged",
    Alarm.HIGH_INTERNAL_TEMPERATURE: "the MOSFETs of a BMS are too hot",
    Alarm.BATTERY_TEMPERATURE_SENSOR: "a temperature sensor is missing or broken",
    Alarm.CONTACTOR: "a MOSFET or contactor does not do what it was told",
    Alarm.BMS_CABLE: "a pack does not answer",
}
