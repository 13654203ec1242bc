"""``docs/config.md``, printed from the keys themselves: ``python -m packbank.config.document > docs/config.md``."""

from __future__ import annotations

from collections.abc import Iterator

from packbank.config import keys
from packbank.config.keys import Key, Keys
from packbank.config.sections import default_keys
from packbank.config.serialbattery import IGNORED, RENAMES
from packbank.config.values import format_value

INTRODUCTION = """\
# config.ini

<!-- Printed by `python -m packbank.config.document > docs/config.md`: change the declarations, not this page. -->

`packbank check FILE` says what a file would run, or everything that is wrong with it, and starts nothing.
`packbank scan` finds the packs and prints a file to begin with; `packbank migrate FILE` makes one from
dbus-serialbattery's.

The smallest file is one line under its header: whoever answers on that port is taken in.

    [DEFAULT]
    PORT = /dev/serial/by-id/usb-1a86_USB_Serial-if00-port0

A larger bank names its buses, the packs it counts on, and what one pack has different from the others:

    [DEFAULT]
    MAX_BATTERY_CHARGE_CURRENT = 100

    [bus:north]
    PORT = /dev/serial/by-id/usb-FTDI_USB-RS485_A1-if00-port0
    BATTERY_ADDRESSES = 0x01-0x0F

    [bus:south]
    PORT = socket://192.168.1.40:4196
    BATTERY_ADDRESSES = 0x01, 0x02, 0x05-0x08

    [pack:south/0x05]
    NAME = garage
    MAX_BATTERY_CHARGE_CURRENT = 60

## Rules

* `KEY = value`, one a line; the letter case of keys does not matter. A comment stands on a line of its own and begins
  with `#` or `;`. A line that begins with a blank continues the list above it. Text is UTF-8.
* `[DEFAULT]` holds for everything, `[bus:NAME]` for one bus and its packs, `[pack:BUS/0x03]` for one pack; the
  narrower section wins.
* Addresses are hexadecimal, as dbus-serialbattery writes them: `0x0A` is ten. Without `0x` only what means the same
  both ways is taken.
* A pack whose bus has a list of addresses is expected: it is missed when it is silent. Without a list whoever
  answers is taken in, and missed from then on.
* An empty value means what its line below says; a key that is left out has its default.
* Curves are two lists of equal length: element k of the one belongs to element k of the other.
"""

FAMILIAR = """\
## A file of dbus-serialbattery

`packbank run FILE --port PORT` takes it as it is: keys that mean the same are read, old names and names that
differ are translated, and the keys below are ignored, once, in the log. `packbank migrate` writes the result down,
with the reason for every key.
"""


def document() -> str:
    """The whole page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_section("Buses", "In `[bus:NAME]`; `[DEFAULT]` for all of them, or for the only one.", keys.bus_keys()),
            *_section("One pack", "In `[pack:BUS/0x03]` only.", keys.name_keys()),
            *_section(
                "Packs",
                "In `[DEFAULT]`, `[bus:NAME]` and `[pack:BUS/0x03]`.",
                {**keys.reading_keys(), **keys.pack_keys()},
            ),
            *_section("The bank", "In `[DEFAULT]`.", keys.bank_keys()),
            *_section("The service on D-Bus", "In `[DEFAULT]`.", keys.service_keys()),
            *_section("The program", "In `[DEFAULT]`.", keys.program_keys()),
            *_section("MQTT and Home Assistant", "In `[mqtt]`; the section switches it on.", keys.mqtt_keys()),
            *_section("Web page and metrics", "In `[web]`; the section switches it on.", keys.web_keys()),
            *_section(
                "History", "In `[history]`; kept without the section too: [history](history.md).", keys.history_keys()
            ),
            *_section(
                "Packs of other hosts",
                "In `[host:NAME]`, one for each host that runs `packbank forward`: [hosts](hosts.md). The keys of "
                "Packs may stand there too. Without BROKER, that of `[mqtt]` with its user.",
                keys.host_keys(),
            ),
            FAMILIAR,
            *_renamed(),
            *_ignored(),
        ]
    )


def _section(title: str, where: str, chosen: Keys) -> Iterator[str]:
    yield f"## {title}\n\n{where}\n\n| key | default | range | meaning |\n|---|---|---|---|"
    for key in chosen.values():
        yield f"| `{key.name}` | {_default(key)} | {key.range or _kind(key)} | {key.meaning} |"
    yield ""


def _default(key: Key) -> str:
    return format_value(key.default).replace("|", "/") or "(empty)"


def _kind(key: Key) -> str:
    return "True, False" if isinstance(key.default, bool) else ""


def _renamed() -> Iterator[str]:
    own = default_keys()
    yield "| of the file | read as | |\n|---|---|---|"
    for rename in RENAMES:
        if rename.new in own:
            yield f"| {', '.join(f'`{old}`' for old in rename.old)} | `{rename.new}` | {rename.why} |"
    yield ""


def _ignored() -> Iterator[str]:
    own = default_keys()
    yield "| ignored | why |\n|---|---|"
    for why, names in IGNORED.items():
        shown = ", ".join(f"`{name}`" for name in names.split() if name not in own)
        if shown:
            yield f"| {shown} | {why} |"


if __name__ == "__main__":
    print(document())
