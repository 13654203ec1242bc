"""``packbank doctor``: one page of what is right and wrong on this machine, with remedies."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from packbank.bms.remedies import MASTER, remedy
from packbank.cli.arguments import add_config_file, config_file
from packbank.cli.bundle import check_place, write_bundle
from packbank.cli.comparison import settings_findings
from packbank.cli.doctor_ports import port_findings
from packbank.cli.feed import open_feed
from packbank.config.loader import load
from packbank.errors import ConfigError, PackbankError
from packbank.findings import Finding, Verdict, note, ok, wrong
from packbank.model.battery import Presence
from packbank.sources.serial.ports import serial_ports

_WORST = 15  # packs whose link is reported
_RATE_AFTER = 600.0  # s; a count of less time makes no rate
_REFUSED = 0.01  # of the answers; a few damaged ones are nothing to worry about


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of ``packbank doctor``."""
    add_config_file(parser, "config.ini: its ports are looked at; without it, all adapters")
    parser.add_argument("--no-dbus", action="store_true", help="leave the D-Bus out, for a machine without Venus OS")
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE",
        help="also write a .tar.gz for a report: this page, log, capture ...",
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="of the capture in it (%(default)g); 0: none"
    )
    parser.epilog = """\
Opens no port and changes nothing; only --bundle, where no daemon has the ports, asks the packs itself for a minute.
What is written has no passcodes and passwords; it has the packs' serial numbers. Look at it before you send it.

Exit codes: 0 all is right, 1 something is wrong.
"""


def run(args: Namespace) -> int:
    """Print the page."""
    args.config = config_file(args)
    if args.bundle:
        check_place(args.bundle)
    verdicts: list[Verdict] = []
    page: list[str] = []
    for title, findings in _page(args):
        lines = [title, *(finding.lines() for finding in findings)]
        print("\n".join(lines))
        page += lines
        verdicts += [finding.verdict for finding in findings]
    count = verdicts.count(Verdict.WRONG)
    page.append(f"\n{count} thing{'s' * (count != 1)} wrong" if count else "\nnothing is wrong")
    print(page[-1], flush=True)
    if args.bundle:
        write_bundle(args.bundle, args.config, args.port, "\n".join(page) + "\n", args.seconds)
        print(f"{args.bundle}: written; look at it before you send it")
    return 1 if count else 0


def _page(args: Namespace) -> Iterator[tuple[str, list[Finding]]]:
    ports, configuration = _configuration(args)
    if configuration:
        yield "Configuration", configuration
    found = [finding for port in ports for finding in port_findings(port)]
    yield "Ports", found or [note("no serial adapter is plugged in, and no configuration names a port")]
    status: Mapping[str, Any] = {} if args.no_dbus else (yield from _dbus_page())
    if not status:
        status, daemon = _ask_daemon(args)
        yield "Daemon", daemon
    if status.get("buses"):
        yield "Buses", [finding for one in status["buses"] for finding in bus_findings(one)]
    if status.get("remarks"):
        yield "Packs", list(map(remark_finding, status["remarks"]))
    yield from _settings_page(args.config)


def _ask_daemon(args: Namespace) -> tuple[Mapping[str, Any], list[Finding]]:
    """The newest line of the daemon that runs here, and what is to be said of it."""
    try:
        with closing(open_feed(args.config)) as feed:
            report = feed.first()
    except PackbankError as error:
        what, _, cure = str(error).partition("; ")
        return {}, [note(f"not asked: {what}", cure)]
    lost = [pack["name"] for pack in report["packs"] if pack["presence"] == Presence.LOST]
    findings = [ok(f"runs and reads {report['connection']}")]
    if lost:
        findings.append(
            wrong(f"lost: {', '.join(lost)}", "check power, address and cable; 'packbank show PACK' says more")
        )
    if report["raised"]:
        findings.append(wrong(f"alarms: {report['raised']}", "'packbank show' names the packs"))
    return report, findings


def _configuration(args: Namespace) -> tuple[list[str], list[Finding]]:
    """The ports to look at, and what is to be said of the file."""
    if args.config is None:
        return serial_ports(), []
    try:
        config = load(args.config, args.port)
    except ConfigError as error:
        return serial_ports(), [wrong(str(error), f"packbank check {args.config}")]
    return [bus.port for bus in config.buses if not bus.host], [ok(f"{args.config}")]


def _dbus_page() -> Generator[tuple[str, list[Finding]], None, Mapping[str, Any]]:
    """What is on the D-Bus; returns what the daemon publishes there of its buses and packs, empty without a D-Bus."""
    try:
        from packbank.outputs.venus import diagnosis  # noqa: PLC0415  (the core runs without dbus-python)
        from packbank.outputs.venus.bus import DBus  # noqa: PLC0415

        bus = DBus()
    except PackbankError as error:
        what, _, remedy = str(error).rpartition("; ")
        yield "D-Bus", [wrong(what, remedy)]
        return {}
    with closing(bus):
        yield "Venus OS", list(diagnosis.venus_findings(bus))
        yield "Battery", list(diagnosis.battery_findings(bus))
        return diagnosis.read_status(bus) or {"buses": []}


def _settings_page(config: Path | None) -> Iterator[tuple[str, list[Finding]]]:
    """The packs' settings beside each other, where a daemon runs that we may ask."""
    try:
        with closing(open_feed(config)) as feed:
            packs = feed.first()["packs"]
    except PackbankError:
        return  # the finding about the battery says whether one should
    yield "Settings", list(settings_findings(packs))


def remark_finding(remark: Mapping[str, Any]) -> Finding:
    """What is to be said of a pack, as :mod:`packbank.model.remarks` has it in JSON."""
    what, _, remedy = f"{remark['pack']}: {remark['text']}".partition("; ")
    return wrong(what, remedy or "see docs/reliability.md") if remark["serious"] else note(what, remedy)


def bus_findings(stats: Mapping[str, Any]) -> Iterator[Finding]:
    """A bus of the running daemon, as :class:`packbank.model.bus_stats.BusStats` is in JSON."""
    name = f"bus {stats['name']} ({stats['port']})"
    remote = "/" in stats["name"]  # another host reads it
    if stats["error"]:
        cure = "see docs/hosts.md" if remote else "put the port right"
        yield wrong(f"{name}: {stats['error']}", f"{cure}; packbank tries it again by itself")
        return
    asked, answered = int(stats["requests"]), int(stats["answers"])
    counted = f"{answered} rows taken" if remote else f"{answered} of {asked} requests answered"
    yield ok(f"{name}: {stats['state']}, {counted}, last round {_seconds(stats)}")
    yield from _link_findings(name, stats)
    for one in stats.get("troubles", ()):
        yield wrong(f"{name}, pack {one['address']:#04x}: {one['text']}", one["remedy"])
    refused = sorted(stats["refused"].items(), key=lambda row: -row[1])
    for reason, count in refused:
        text = f"{name}: {count} answers refused: {reason}{_example(stats['recent'], reason)}"
        cure = remedy(reason)
        yield wrong(text, cure) if count > _REFUSED * max(answered, 1) else note(text)
    if stats["foreign"] and stats["state"] == "standing back":
        yield wrong(f"{name}: another master asks the packs ({stats['foreign']} requests heard)", MASTER)


def _link_findings(name: str, stats: Mapping[str, Any]) -> Iterator[Finding]:
    """How well packs are reached that had to be asked again or had answers refused, the worst first."""
    seconds = stats["seconds"] or 0.0
    links = sorted(stats.get("links", ()), key=lambda one: -one["retries"] - one["refused"])
    for one in links[:_WORST]:
        counts = [(one["retries"], "retries"), (one["refused"], "refused answers")]
        if seconds < _RATE_AFTER:
            rate = f"{_words(counts, '.0f')} in {seconds:.0f} s"
        else:
            rate = f"{_words([(count / seconds * 3600.0, what) for count, what in counts], '.1f')} an hour"
        yield note(f"{name}, pack {one['address']:#04x}: {rate}")


def _words(counts: Sequence[tuple[float, str]], form: str) -> str:
    return " and ".join(f"{count:{form}} {what}" for count, what in counts)


def _example(recent: Sequence[Mapping[str, Any]], reason: str) -> str:
    """The last refused answer of a kind, in words."""
    last = next((one for one in reversed(recent) if one["reason"] == reason), None)
    return f", last from {last['address']:#04x} ({last['detail']})" if last else ""


def _seconds(stats: Mapping[str, Any]) -> str:
    return "not complete" if stats["round_time"] is None else f"{stats['round_time']:.2f} s"
