"""A value's text as the type its setting is declared with; a ``ValueError`` says what is wrong and what to write."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from ipaddress import ip_address
from types import NoneType
from typing import Any, get_args

LAST_PORT = 65535
BROKER = re.compile(r"mqtts?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
TOPIC_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")
LONGEST_LABEL = 64  # characters
INDENTED = "goes on over several lines; a line that begins with a blank belongs to the key above: remove the blank"


def parse_value(text: str, hint: Any) -> Any:
    """``text`` as the type ``hint``: str, bool, int, float, a StrEnum, ``X | None`` or ``tuple[X, ...]``."""
    arguments = get_args(hint)
    if NoneType in arguments:
        (inner,) = (one for one in arguments if one is not NoneType)
        return parse_value(text, inner) if text else None
    if arguments:  # tuple[X, ...]
        return tuple(parse_value(part, arguments[0]) for part in split_list(text))
    if "\n" in text:
        raise ValueError(INDENTED)
    if hint is str:
        return text
    if not text:
        raise ValueError("is empty; write a value or remove the line")
    if issubclass(hint, StrEnum):
        return _choice(text, hint)
    return PARSERS[hint](text)


def split_list(text: str) -> list[str]:
    """The elements between the commas; a trailing comma is harmless."""
    return [part for part in (part.strip() for part in text.split(",")) if part]


def parse_addresses(text: str) -> tuple[int, ...]:
    """Addresses from a list of numbers and ranges, ``0x01, 0x05-0x07``, as given, repeated ones too."""
    found: list[int] = []
    for part in split_list(text):
        low, dash, high = (word.strip() for word in part.partition("-"))
        first = parse_address(low)
        last = parse_address(high) if dash else first
        if last < first:
            raise ValueError(f"the range {part} runs backwards; write {high}-{low}")
        found += range(first, last + 1)
    return tuple(found)


def parse_address(text: str) -> int:
    """One address, hexadecimal; without ``0x`` only where decimal would mean the same."""
    if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,2}", text):
        raise ValueError(f"{text!r} is not an address; write two hexadecimal digits, such as 0x0A")
    value = int(text, 16)
    if text.isdecimal() and int(text) != value:
        raise ValueError(f"{text} can be read as {int(text)} or as {value}; write 0x{int(text):02X} or 0x{value:02X}")
    return value


def parse_host_packs(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Buses of another host and their addresses, ``bus1 0x01-0x0F, bus2 0x01, 0x03``: each name begins a bus."""
    found: dict[str, list[str]] = {}
    for word in re.split(r"[,\s]+", re.sub(r"\s*-\s*", "-", text.strip())):
        if word[:1].isdigit() and found:
            found[list(found)[-1]].append(word)
        elif word[:1].isdigit():
            raise ValueError(f"{word} has no bus; write the bus's name first: bus1 {word}")
        elif word:
            if word in found:
                raise ValueError(f"bus {word} stands there twice; put its addresses together")
            found[parse_topic_name(word)] = []
    for bus, words in found.items():
        if not words:
            raise ValueError(f"bus {bus} has no addresses; write {bus} 0x01-0x0F")
    packs = tuple((bus, parse_addresses(",".join(words))) for bus, words in found.items())
    for bus, addresses in packs:
        if len(set(addresses)) < len(addresses):
            raise ValueError(f"an address of {bus} stands there twice")
    return packs


def format_host_packs(packs: Sequence[tuple[str, Sequence[int]]]) -> str:
    """As :func:`parse_host_packs` reads it."""
    return ", ".join(f"{bus} {format_addresses(addresses)}" for bus, addresses in packs)


def parse_broker(text: str) -> str:
    """An MQTT broker's URL without a password, which would be read by everyone who may read the file."""
    if "@" in text:
        raise ValueError("has a user or a password in it; write them as USERNAME and PASSWORD_FILE")
    port = re.search(r":([0-9]+)/?$", text)
    if port and not 0 < int(port[1]) <= LAST_PORT:
        raise ValueError(f"has no port from 1 to {LAST_PORT}; write mqtt://HOST:1883, or mqtts://HOST:8883 with TLS")
    if not BROKER.fullmatch(text):
        raise ValueError("is not a broker's address; write mqtt://HOST:1883, or mqtts://HOST:8883 with TLS")
    return text


def parse_topic_name(text: str) -> str:
    """A name that can stand in topics and ids, and that no number of a schema can be taken for."""
    if not TOPIC_NAME.fullmatch(text):
        raise ValueError("cannot stand in a topic; write small letters, digits, - or _, a letter first")
    return text


def parse_listen(text: str) -> str:
    """Where a server listens: an address in numbers, since a name may stand for several, and a port."""
    try:
        _, port = split_listen(text)
    except ValueError:
        raise ValueError("is no address and port; write 127.0.0.1:8080, or [::1]:8080") from None
    if not 0 < port < 1 << 16:
        raise ValueError(f"{port} is not a port; write 1 to 65535, such as 127.0.0.1:8080")
    return text


def split_listen(text: str) -> tuple[str, int]:
    """The address and the port of a ``LISTEN``; a ValueError when it has another form."""
    found = LISTEN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return str(ip_address(found[1] or found[2])), int(found[3])


def parse_hosts(text: str) -> tuple[str, ...]:
    """Names of machines, in small letters."""
    names = tuple(name.lower() for name in split_list(text))
    for name in names:
        if not HOST_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a machine's name; write it without http://, port or path")
    return names


def parse_label(text: str) -> str:
    """A name for people: what D-Bus, topics and one line of a table can hold."""
    if not text.isprintable():
        raise ValueError("has a character that cannot be shown; remove it")
    if len(text) > LONGEST_LABEL:
        raise ValueError(f"has {len(text)} characters; at most {LONGEST_LABEL} are shown")
    return text


def parse_host(text: str) -> str:
    """As :func:`parse_topic_name`, or empty."""
    return parse_topic_name(text) if text else ""


def parse_path(text: str) -> str:
    """The path of a file, whole, since a service starts in a folder of its own; empty: none."""
    if text and not text.startswith("/"):
        raise ValueError("is not a whole path; let it begin with /")
    return text


def format_value(value: Any) -> str:
    """A value as it may stand in the file, so that :func:`parse_value` gives it back."""
    if value is None:
        return ""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return format_host_packs(value)
    if isinstance(value, tuple):
        return ", ".join(map(format_value, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def format_addresses(addresses: Sequence[int]) -> str:
    """Addresses as :func:`parse_addresses` reads them, with ranges where they follow each other."""
    runs: list[list[int]] = []
    for address in addresses:
        if runs and address == runs[-1][-1] + 1:
            runs[-1].append(address)
        else:
            runs.append([address])
    return ", ".join(f"0x{run[0]:02X}" + (f"-0x{run[-1]:02X}" if len(run) > 1 else "") for run in runs)


def _boolean(text: str) -> bool:
    known = {"true": True, "false": False}
    if text.lower() not in known:
        raise ValueError("is neither True nor False; write one of them")
    return known[text.lower()]


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f"is not a whole number; {_hint(text)}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"is not a number; {_hint(text)}") from None
    if not math.isfinite(value):
        raise ValueError("is not a finite number; write one, or remove the line")
    return value


def _hint(text: str) -> str:
    if re.search(r"[;#]", text):
        return "a comment needs a line of its own"
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return f"write the decimal point as a point, {text.replace(',', '.')}"
    return "write digits only, without a unit"


def _choice(text: str, kind: type[StrEnum]) -> StrEnum:
    for member in kind:
        if text.lower() == member.lower():
            return member
    raise ValueError(f"is not known; write {', '.join(kind)}")


PARSERS: dict[Any, Callable[[str], Any]] = {bool: _boolean, int: _integer, float: _number}
