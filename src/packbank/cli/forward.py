"""``packbank forward``: this host reads packs for the bank of another one."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from packbank.cli.arguments import add_config_file, needed_config_file
from packbank.cli.signals import ended_by_signals, import_whole
from packbank.config.loader import load
from packbank.config.model import Config, HostPacks, MqttConfig
from packbank.config.values import TOPIC_NAME, format_host_packs
from packbank.daemon import STOP_TIMEOUT, TICK, wait_loop
from packbank.errors import ConfigError
from packbank.logs import log_to
from packbank.sources.start import start_sources
from packbank.sources.store import Store

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_config_file(parser, "config.ini; see docs/hosts.md")
    parser.epilog = """\
Reads the packs of this host's buses and sends their rows over an MQTT broker, once a second, to the host where
'packbank run' makes one battery of all. Needs neither D-Bus nor a GX. Its file has the buses as for 'run', and

  [mqtt]
  BROKER = mqtt://ADDRESS:1883
  HOST = room2

What the other host's configuration needs is printed. docs/hosts.md goes through it step by step.

Ends with SIGTERM or Ctrl-C: exit code 0. Exit codes: 2 the configuration cannot be used, or paho-mqtt is not installed.
"""


def run(args: argparse.Namespace) -> int:
    """Send until a signal."""
    file = needed_config_file(args)
    config = load(file, args.port)
    mqtt = _checked(file, config)
    with ended_by_signals(), log_to(sys.stderr.fileno(), config.log_level):
        for note in config.notes:
            log.info("%s: %s", file, note)
        _forward(config, mqtt)
    return 0


def _forward(config: Config, mqtt: MqttConfig) -> None:
    sender = import_whole("packbank.sources.hosts.sender").Sender(config, mqtt, time.monotonic())
    store, shown, pause = Store(len(config.packs)), False, TICK
    with ExitStack() as last:
        last.callback(sender.close)
        sources = start_sources(config, store)
        for source in sources:
            last.callback(source.join, STOP_TIMEOUT)
        for source in sources:
            last.callback(source.stop)

        def tick() -> bool:
            nonlocal shown, pause
            now = time.monotonic()
            pause = TICK + sender.shift()
            matrix, identities = store.snapshot(now + pause)
            sender.tick(matrix, identities, [bus for source in sources for bus in source.buses()], now)
            if not shown and (packs := sender.packs()) is not None:
                shown = True
                print("\n".join(_for_the_bank(mqtt, packs)), flush=True)
            return True

        wait_loop(tick, lambda: pause)


def _checked(path: Path, config: Config) -> MqttConfig:
    """What to send to; ConfigError when the file does not say it, or has what is not for here."""
    if config.mqtt is None or not config.mqtt.host:
        raise ConfigError(
            f"{path} does not say where to send to: write BROKER and HOST = a name for this host into [mqtt]"
        )
    if config.hosts:
        raise ConfigError(
            f"{path} takes in packs of other hosts: remove its [host:...] sections, only the bank has them"
        )
    wrong = [bus.name for bus in config.buses if not TOPIC_NAME.fullmatch(bus.name)]
    if wrong:
        text = (
            f"the name of [bus:{wrong[0]}] cannot stand in a topic: write small letters, digits, - or _, a letter first"
        )
        raise ConfigError(f"{path}: {text}")
    return config.mqtt


def _for_the_bank(mqtt: MqttConfig, packs: HostPacks) -> Iterator[str]:
    """The section that the bank's configuration needs."""
    yield "# For the configuration of the bank; BROKER as it is reached from there, or none where [mqtt] names it."
    yield f"[host:{mqtt.host}]"
    yield f"BROKER = {mqtt.broker}"
    if mqtt.bank != MqttConfig().bank:
        yield f"BANK = {mqtt.bank}"
    if listed := format_host_packs([(bus, addresses) for bus, addresses in packs if addresses]):
        yield f"PACKS = {listed}"
