"""What can happen to the special pack of a bank, or to all, as functions of the bank and its inverter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from packbank.sim.bank import PhysicalBank
from packbank.sim.inverter import Inverter
from packbank.sim.sensors import PACKS_ON_A_BUS

Event = Callable[[PhysicalBank, Inverter], None]


def open_charge(bank: PhysicalBank, _: Inverter) -> None:
    """Its charge MOSFET is switched off."""
    bank.charge_enabled[bank.special] = False


def open_discharge(bank: PhysicalBank, _: Inverter) -> None:
    """Its discharge MOSFET is switched off."""
    bank.discharge_enabled[bank.special] = False


def close(bank: PhysicalBank, _: Inverter) -> None:
    """Its MOSFETs are switched on."""
    bank.charge_enabled[bank.special] = bank.discharge_enabled[bank.special] = True


def open_breaker(bank: PhysicalBank, _: Inverter) -> None:
    """Its breaker opens, which its BMS does not know."""
    bank.breaker_open[bank.special] = True


def silence(bank: PhysicalBank, _: Inverter) -> None:
    """Its answers stop."""
    bank.telemetry.silent[bank.special] = True


def never_answer(bank: PhysicalBank, inverter: Inverter) -> None:
    """It has not answered yet."""
    silence(bank, inverter)
    bank.telemetry.rows[bank.special] = np.nan


def silence_some(bank: PhysicalBank, _: Inverter) -> None:
    """The answers of a quarter of the packs stop."""
    bank.telemetry.silent[bank.places[: max(1, bank.spec.packs // 4)]] = True


def silence_bus(bank: PhysicalBank, _: Inverter) -> None:
    """The first bus falls silent."""
    bank.telemetry.silent[:PACKS_ON_A_BUS] = True


def silence_all(bank: PhysicalBank, _: Inverter) -> None:
    """The buses fall silent."""
    bank.telemetry.silent[:] = True


def answer(bank: PhysicalBank, _: Inverter) -> None:
    """Everybody answers again."""
    bank.telemetry.silent[:] = False


def blind(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor says 0 A."""
    bank.sensor.gain[bank.special] = bank.sensor.offset[bank.special] = 0.0


def blind_all(bank: PhysicalBank, _: Inverter) -> None:
    """All current sensors say 0 A."""
    bank.sensor.gain[:] = bank.sensor.offset[:] = 0.0


def freeze(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor keeps its last value."""
    bank.sensor.frozen[bank.special] = True


def stick(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor says 30 A."""
    bank.sensor.gain[bank.special] = 0.0
    bank.sensor.offset[bank.special] = 30.0


def invert(bank: PhysicalBank, _: Inverter) -> None:
    """Its current sensor has the wrong sign."""
    bank.sensor.gain[bank.special] *= -1


def no_current(bank: PhysicalBank, _: Inverter) -> None:
    """It no longer reports its current."""
    bank.sensor.offset[bank.special] = np.nan


def no_currents(bank: PhysicalBank, _: Inverter) -> None:
    """No pack reports its current any longer."""
    bank.sensor.offset[:] = np.nan


def freeze_all(bank: PhysicalBank, _: Inverter) -> None:
    """All current sensors keep their last values."""
    bank.sensor.frozen[:] = True


def heat_mosfets(bank: PhysicalBank, _: Inverter) -> None:
    """Its MOSFETs are at 91 degC."""
    bank.heat.mos[bank.special] = 91.0


def overheat(bank: PhysicalBank, inverter: Inverter) -> None:
    """Its cells are at 52 degC, its MOSFETs at 91 degC."""
    bank.heat.cells[bank.special] = 52.0
    heat_mosfets(bank, inverter)


def forget_soc(bank: PhysicalBank, _: Inverter) -> None:
    """Its BMS counts SoC from 10 % on."""
    bank.counter.remaining[bank.special] = 0.1 * bank.counter.capacity[bank.special]


def ignore_limits(_: PhysicalBank, inverter: Inverter) -> None:
    """For 10 s the chargers give all that the sun gives."""
    inverter.ignore_limits(10.0)
