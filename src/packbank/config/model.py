"""A checked configuration: what ``config.ini`` says, as frozen values that the rest of packbank is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from packbank.aggregator.settings import BankSettings, PackSettings


class Mode(StrEnum):
    """How a bus is read."""

    POLL = "poll"  # we are the master
    LISTEN = "listen"  # a JK pack at DIP 0 is the master; we only hear
    AUTO = "auto"  # hear first, poll if nobody else does


@dataclass(frozen=True, kw_only=True)
class BusConfig:
    """One RS485 bus (one port)."""

    name: str
    port: str  # device path or pyserial URL (socket://, rfc2217://)
    protocol: str = "jkpb"
    addresses: tuple[int, ...] = ()  # empty: every address of the protocol is tried, whoever answers is taken in
    mode: Mode = Mode.POLL


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """One row of the matrix."""

    bus: str
    address: int
    name: str  # shown to people; unique
    expected: bool = True  # false: a candidate address of a bus without a list; counts only once it answered
    settings: PackSettings = field(default_factory=PackSettings)


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The battery as Venus OS sees it."""

    device_instance: int = 10  # preferred; localsettings has the last word
    product_name: str = "packbank"
    custom_name: str = ""
    publish_packs: bool = False
    current_from: str = ""  # a D-Bus service name, empty: the packs' own
    soc_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything ``packbank run`` needs. ``packs`` is in row order: index in the tuple is index in the matrix."""

    buses: tuple[BusConfig, ...]
    packs: tuple[PackConfig, ...]
    bank: BankSettings = field(default_factory=BankSettings)
    service: ServiceConfig = field(default_factory=ServiceConfig)
    log_level: str = "INFO"
    state_file: str = ""  # where history and user settings are kept; empty: beside the config file
