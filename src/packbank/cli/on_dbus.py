"""The daemon on the D-Bus of Venus OS: its outputs, foreign sensors, the loop."""

from __future__ import annotations

from collections.abc import Callable

from packbank.bms import registry
from packbank.daemon import TICK, Daemon
from packbank.outputs.venus.bank import BankOutput
from packbank.outputs.venus.external import ExternalSource
from packbank.outputs.venus.loop import run_loop
from packbank.outputs.venus.packs import PackServices
from packbank.outputs.venus.writes import Offers


def serve(daemon: Daemon, tick: Callable[[], bool]) -> None:
    """Publish the bank until a signal or a ``tick`` that returns false.

    Raises LinkError when there is no D-Bus, the name is taken or the connection goes, ConfigError when a foreign
    sensor cannot be one.
    """
    service, bank = daemon.config.service, daemon.config.bank
    output = BankOutput(
        service,
        connection=_connection(daemon),
        send=daemon.send,
        hardware=_hardware(daemon),
        controls=daemon.saved_controls,
        offers=Offers(reset_soc=bank.soc_calculation, top_balance=bank.cvcm_enable),
    )
    daemon.outputs.add_vital(output)
    if service.publish_packs:
        daemon.outputs.add(PackServices(output.identity))
    source = ExternalSource(
        output.bus,
        service.current_from,
        service.soc_from,
        output.service.name,
        loads_from_system=service.loads_from_system,
    )
    daemon.external = lambda: source.read(output.service.device_instance)
    run_loop(tick, TICK)


def _connection(daemon: Daemon) -> str:
    buses, hosts = sum(not bus.host for bus in daemon.config.buses), len(daemon.config.hosts)
    parts = [f"RS485, {buses} bus{'es' if buses > 1 else ''}"] * bool(buses)
    parts += [f"{hosts} other host{'s' if hosts > 1 else ''}"] * bool(hosts)
    return ", ".join(parts)


def _hardware(daemon: Daemon) -> str:
    """The families of BMS in the bank."""
    names = dict.fromkeys(bus.protocol for bus in daemon.config.buses if not bus.host)
    return " + ".join(registry.protocol(name).title for name in names)
