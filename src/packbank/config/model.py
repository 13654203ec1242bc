"""A checked configuration: what ``config.ini`` says, as frozen values that the rest of packbank is built from.

Like the aggregator's settings, a field that the user may set is declared with :func:`setting`, from which its
key, type, range and documentation follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from packbank.aggregator.settings import BankSettings, PackSettings, setting

CONFIG_VERSION = 1  # raised when a key changes its meaning
REMOTE = "host"  # what stands for the protocol of a bus that another host reads
SPARE = 64  # rows for each host without a list, which wait for packs that it announces


class Mode(StrEnum):
    """How a bus is read."""

    POLL = "poll"  # we are the master
    LISTEN = "listen"  # a pack is the master; we only hear
    AUTO = "auto"  # hear first, poll if nobody else does


class LogLevel(StrEnum):
    """How much is logged; the names are those of :mod:`logging`."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"
    DEBUG = "DEBUG"


@dataclass(frozen=True, kw_only=True)
class BusConfig:
    """One RS485 bus (one port)."""

    name: str
    port: str = setting(
        "", "device path (best /dev/serial/by-id/...), or socket://host:port, rfc2217://host:port, replay:///capture"
    )
    protocol: str = setting("jkpb", "family of the packs on this bus")
    baudrates: tuple[int, ...] = setting(
        (),
        "rates to try in turn until a pack answers; empty: all that packs of this family have",
        "baud",
        1200,
        921600,
    )
    addresses: tuple[int, ...] = setting(
        (), "addresses of the packs, lists and ranges, hexadecimal: 0x01-0x0F; empty: whoever answers is taken in"
    )
    mode: Mode = setting(
        Mode.POLL,
        "poll: we ask; listen: a master at 0x00 asks, we hear all; auto: hear first, ask when nobody does",
    )
    host: str = ""  # the [host:...] that reads it and sends its rows; then ``port`` is the broker


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """One row of the matrix."""

    bus: str
    address: int
    name: str = setting("", "name shown to people, unique; empty: made of bus and address")
    named: bool = False  # the name is the owner's
    expected: bool = True  # false: a candidate address of a bus without a list; counts only once it answered
    invert_current_measurement: bool = setting(
        False, "the BMS reports a charging current as a discharging one, as some Daly do"
    )
    settings: PackSettings = field(default_factory=PackSettings)


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The battery as Venus OS sees it."""

    device_instance: int = setting(10, "preferred DeviceInstance; localsettings has the last word", "", 0, 255)
    product_name: str = setting("packbank", "product name on D-Bus")
    custom_name: str = setting("", "name at the first start; later the one given in the GUI holds")
    publish_limits: bool = setting(
        True, "False: the GX shows the battery and is not controlled by it, CVL, CCL and DCL are not published there"
    )
    publish_packs: bool = setting(False, "also a battery service for each pack, without CVL")
    current_from: str = setting("", "D-Bus service whose current stands for the bank's; empty: the sum of the packs'")
    soc_from: str = setting("", "D-Bus service whose SoC stands for the bank's; empty: from the packs'")
    loads_from_system: bool = setting(
        False,
        "keep room in CCL for the loads that the GX knows, which leave their current to the packs when they go off; "
        "matters where a BMS's charge over-current delay is below 6 s",
    )


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """The bank and its packs on an MQTT broker; the section's presence switches it on."""

    broker: str = setting(
        "mqtt://127.0.0.1:1883", "mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS; the GX's own needs no password here"
    )
    username: str = setting("", "the broker's user; empty: none")
    password_file: str = setting("", "file whose first line is that user's password, read at each connection")
    ca: str = setting("", "PEM file of the authority that signed the broker's certificate; empty: the system's")
    certificate: str = setting(
        "", "PEM file of the broker's own certificate: that one is wanted, whatever name it is for (as on a GX)"
    )
    bank: str = setting("home", "name of this bank in topics and ids; every bank of a broker needs its own")
    home_assistant: bool = setting(True, "announce the bank and its packs to Home Assistant; False takes them back")
    cells: bool = setting(False, "Home Assistant shows each cell at once; False: each can be enabled there")
    host: str = setting("", "for 'packbank forward' only: the name under which this host sends its packs")


HostPacks = tuple[tuple[str, tuple[int, ...]], ...]  # each bus of a host with its addresses


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """Another host that reads packs and sends their rows ('packbank forward')."""

    name: str
    mqtt: MqttConfig  # where, and as whom
    packs: HostPacks = setting(
        (),
        "its buses and packs: bus1 0x01-0x0F, bus2 0x01-0x08; empty: those that it announces",
    )
    listed: bool = True  # false: ``packs`` are those that it announced before the start


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """The bank in a browser and for Prometheus; the section's presence switches it on."""

    listen: str = setting(
        "127.0.0.1:8080",
        "address and port; 127.0.0.1: this machine only; a LAN address or 0.0.0.0: everybody there, without a password",
    )
    hosts: tuple[str, ...] = setting(
        (),
        "more names that browsers may ask for, such as gx.example; addresses and this machine's own names always work",
    )


@dataclass(frozen=True, kw_only=True)
class HistoryConfig:
    """What is kept of the past, in a folder beside the state file."""

    enabled: bool = setting(True, "False: nothing is kept, no figures and no events")
    period: int = setting(5, "rows on the flash are that long; of each figure mean, lowest and highest", "min", 1, 60)
    days: int = setting(30, "for how many days such rows are kept", "days", 1, 400)
    years: int = setting(2, "for how many years rows of an hour are kept", "years", 1, 20)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything ``packbank run`` needs. ``packs`` is in row order: index in the tuple is index in the matrix."""

    buses: tuple[BusConfig, ...]
    packs: tuple[PackConfig, ...]
    bank: BankSettings = field(default_factory=BankSettings)
    service: ServiceConfig = field(default_factory=ServiceConfig)
    mqtt: MqttConfig | None = None  # None: the file has no such section
    web: WebConfig | None = None  # likewise
    history: HistoryConfig = field(default_factory=HistoryConfig)
    hosts: tuple[HostConfig, ...] = ()  # their buses and packs are in ``buses`` and ``packs`` too
    config_version: int = setting(CONFIG_VERSION, "version of these keys; a newer one than the program's is refused")
    log_level: LogLevel = setting(LogLevel.INFO, "ERROR, WARNING, INFO or DEBUG")
    state_file: str = setting("", "where history and user settings are kept; empty: beside the config file")
    notes: tuple[str, ...] = ()  # what of the file has no effect, was renamed or is to be considered; for the log, once
