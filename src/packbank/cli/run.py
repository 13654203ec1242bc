"""``packbank run``: the daemon."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from packbank import state
from packbank.cli.arguments import add_config_file, needed_config_file
from packbank.cli.signals import ended_by_signals, import_whole
from packbank.config.hosts import saved_hosts
from packbank.config.loader import load
from packbank.config.model import Config, MqttConfig, WebConfig
from packbank.config.program import state_path
from packbank.daemon import Daemon, wait_loop
from packbank.logs import log_to
from packbank.outputs.history.events import Untaken
from packbank.outputs.history.location import Location, location_of
from packbank.outputs.history.output import HistoryOutput
from packbank.outputs.history.reader import History
from packbank.outputs.journal import Journal
from packbank.outputs.json_lines import JsonLines
from packbank.outputs.local_socket import LocalSocket
from packbank.outputs.runner import Output
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.watchdog import Watchdog

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_config_file(parser, "config.ini; see docs/config.md")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where history and the user's limits are kept; default: config.state.json beside config.ini",
    )
    parser.add_argument(
        "--capture",
        type=Path,
        metavar="FILE",
        help="write every byte of the buses, and every message of other hosts, for 'replay'",
    )
    parser.add_argument("--json", action="store_true", help="print the battery once a second as a JSON line")
    parser.add_argument("--no-dbus", action="store_true", help="read and merge only, for a machine without Venus OS")
    parser.epilog = """\
Every pack of the configuration is asked about once a second. The battery appears on the D-Bus of Venus OS as
com.victronenergy.battery.packbank as soon as the settings of all packs have been read, or after START_TIMEOUT with
the packs read by then; docs/venus.md says what the GX then shows. Logs to standard error, one line for each change.

  packbank run config.ini
  packbank run config.ini --no-dbus --json | jq .soc
  packbank run /data/apps/dbus-serialbattery/config.ini --port /dev/ttyUSB0

Ends with SIGTERM or Ctrl-C: exit code 0. Exit codes: 1 the D-Bus is gone or the name is taken, so that a supervisor
starts it again; 2 the configuration or the state file cannot be used, another packbank runs with that state, or the
D-Bus, paho-mqtt or h11 is not installed. When the main loop stands still for 30 s the kernel ends the process with
SIGALRM.
The keys of --json are in docs/json.md.
"""


def run(args: argparse.Namespace) -> int:
    """Run until a signal, or until the D-Bus or the program itself fails (exit 1: let a supervisor restart it)."""
    args.config = needed_config_file(args)
    config = load(args.config, args.port, args.state)
    with ended_by_signals(), log_to(sys.stderr.fileno(), config.log_level):
        return _run(args, config)


def _run(args: argparse.Namespace, config: Config) -> int:
    for note in config.notes:
        log.info("%s: %s", args.config, note)
    state_file = state_path(args.config, config, args.state)
    if not all(host.listed for host in config.hosts):
        saved = state.load(state_file).get("hosts")
        config = load(args.config, args.port, args.state, saved_hosts(saved))
    serve = None if args.no_dbus else import_whole("packbank.cli.on_dbus").serve
    on_request = OnRequest()
    capture = Capture(args.capture) if args.capture else on_request
    held = state.lock(state_file)
    daemon = Daemon(config, state_file=state_file, capture=capture)
    for output, may_block in outputs(args, config, on_request.begin):
        daemon.outputs.add(output, may_block=may_block)
    ended_well = True

    with held, daemon, Watchdog() as watchdog:

        def tick() -> bool:
            nonlocal ended_well
            watchdog.feed()
            ended_well = daemon.tick()
            return ended_well

        if serve is None:
            wait_loop(tick)
        else:
            serve(daemon, tick)
    return 0 if ended_well else 1


def outputs(
    args: argparse.Namespace, config: Config, capture: Callable[[Path, float], None]
) -> Iterator[tuple[Output, bool]]:
    """Every output but the D-Bus, and whether it may block: the one place that lists them."""
    ceilings = [pack.settings.max_battery_charge_current for pack in config.packs]
    state_file = state_path(args.config, config, args.state)
    kept = location_of(args.config, state_file) if config.history.enabled else None
    if kept:
        untaken = Untaken()
        yield Journal(ceilings, untaken.put), False
        yield HistoryOutput(config.history, kept, untaken), True
    else:
        yield Journal(ceilings), False
    yield LocalSocket(args.config, capture), True
    if args.json:
        yield JsonLines(sys.stdout.fileno()), True
    if config.mqtt:
        yield _mqtt(config.mqtt, config, state_file), True
    if config.web:
        yield _web(config.web, config, kept), False  # it has a thread of its own, which never makes the main loop wait


def _mqtt(mqtt: MqttConfig, config: Config, state_file: Path) -> Output:
    """The MQTT output. Raises ConfigError when paho-mqtt is not installed."""
    names = [pack.name if pack.named else "" for pack in config.packs]
    output: Output = import_whole("packbank.outputs.mqtt.output").MqttOutput(
        mqtt, names, state_file.with_suffix(".mqtt.json")
    )
    return output


def _web(web: WebConfig, config: Config, kept: Location | None) -> Output:
    """The web output, with charts of what is ``kept``. Raises ConfigError when h11 is not installed."""
    history = None
    if kept:
        about = config.history
        reader = History(kept.folder, kept.rows, kept.events)
        row = 60.0 * about.period
        history = import_whole("packbank.outputs.web.kept").KeptHistory(reader, row=row, days=about.days)
    output: Output = import_whole("packbank.outputs.web.output").WebOutput(web, history)
    return output
