"""The daemon on the D-Bus of Venus OS: its publishers, the user's wishes, foreign sensors, the watchdog, the loop."""

from __future__ import annotations

import json
from collections.abc import Callable

from packbank.bms import registry
from packbank.daemon import TICK, Daemon
from packbank.model.battery import VirtualBattery
from packbank.outputs.venus.battery import Publisher
from packbank.outputs.venus.controls import Actions
from packbank.outputs.venus.external import ExternalSource
from packbank.outputs.venus.loop import run_loop
from packbank.outputs.venus.packs import PackServices
from packbank.outputs.venus.watchdog import Watchdog
from packbank.report import bus_dict


class OnePackEach:
    """The packs' own services as a publisher: they also need the matrix of the step."""

    def __init__(self, services: PackServices, daemon: Daemon) -> None:
        self._services = services
        self._daemon = daemon

    def publish(self, battery: VirtualBattery, now: float) -> None:
        """Bring each pack's service up to date."""
        self._services.publish(battery, self._daemon.matrix, now)

    def close(self) -> None:
        """Leave the bus with all packs."""
        self._services.close()


def serve(daemon: Daemon, tick: Callable[[], bool]) -> None:
    """Publish the bank until a signal or a ``tick`` that returns false.

    Raises LinkError when there is no D-Bus, the name is taken or the connection goes, ConfigError when a foreign
    sensor cannot be one. The process ends when a tick takes too long: see :mod:`packbank.outputs.venus.watchdog`.
    """
    service = daemon.config.service
    publisher = Publisher(
        service,
        connection=_connection(daemon),
        hardware=_hardware(daemon),
        controls=daemon.controls,
        on_controls=daemon.take_controls,
        actions=_actions(daemon),
        status=lambda: json.dumps({"buses": [bus_dict(stats) for stats in daemon.stats()]}),
    )
    daemon.publishers.append(publisher)
    if service.publish_packs:
        daemon.publishers.append(OnePackEach(PackServices(daemon.config.packs, publisher.identity), daemon))
    source = ExternalSource(publisher.bus, service.current_from, service.soc_from, publisher.service.name)
    daemon.external = lambda: source.read(publisher.service.device_instance)
    with Watchdog() as watchdog:

        def watched_tick() -> bool:
            watchdog.feed()
            return tick()

        run_loop(watched_tick, TICK)


def _connection(daemon: Daemon) -> str:
    buses = len(daemon.config.buses)
    return f"RS485, {buses} bus{'es' if buses > 1 else ''}"


def _hardware(daemon: Daemon) -> str:
    """The families of BMS in the bank."""
    names = dict.fromkeys(bus.protocol for bus in daemon.config.buses)
    return " + ".join(registry.protocol(name).title for name in names)


def _actions(daemon: Daemon) -> Actions:
    """What the user can have done from the GX: SoC can be set where packbank counts it, stages begun where they run."""
    bank = daemon.bank
    return Actions(
        reset_soc=bank.reset_soc if daemon.config.bank.soc_calculation else None,
        top_balance=(lambda _: bank.request_top_balance()) if daemon.config.bank.cvcm_enable else None,
        clear_history=lambda _: bank.clear_history(),
    )
