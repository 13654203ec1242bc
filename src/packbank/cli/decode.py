"""``packbank decode``: what frames given as hex say, as a page for people or as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from packbank.bms import registry
from packbank.bms.lookalikes import look_alike
from packbank.bms.protocol import Description, Protocol
from packbank.errors import ConfigError
from packbank.hextext import lines_of, parse_hex
from packbank.model.columns import Column

_UNITS = {column.key: "" if "/" in column.unit else column.unit for column in Column}
_UNITS |= {"cell_voltages": "V", "cell_resistances": "ohm", "temperatures": "degC", "runtime": "s"}
_PER_LINE = 8  # cells
_EPILOG = """\
A frame is hex as logs have it (blanks, commas, dots, colons, dashes, 0x, a list of bytes), one an argument or one a
line of standard input; one that begins with ~ is taken as it stands. A frame alone decodes
as well as one with its acknowledgement, which is what says who sent it. Passcodes are never shown.

  packbank decode 031016200001020000cf91
  packbank decode --json < frames.txt | jq .voltage

With --json each line of output is one object: kind, ok, error, address, and the values by name in V, A, W, Ah, degC, %,
s and ohm; what a frame does not hold is null. The exit code is 1 when a frame was refused."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("frames", nargs="*", metavar="HEX", help="a frame; none: read standard input, one a line")
    parser.add_argument(
        "--protocol", choices=registry.NAMES, default="jkpb", help="family of the pack (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Decode every frame; 1 when one of them was refused."""
    protocol = registry.protocol(args.protocol)
    show = as_json if args.json else as_page
    shown = refused = 0
    try:
        for text in args.frames or lines_of(sys.stdin.buffer):
            if text.strip():
                description = decode(protocol, text)
                print(show(description), flush=True)
                shown += 1
                refused += bool(description.error)
    except ValueError as error:
        raise ConfigError(f"standard input: {error}; give a frame a line") from error
    if not shown:
        raise ConfigError("no frames: give them as hex, in arguments or one a line on standard input")
    return 1 if refused else 0


def decode(protocol: Protocol, text: str) -> Description:
    """What the frame written as ``text`` is; one of another family is named with the protocol that reads it."""
    if text.strip().startswith("~"):  # the CR at its end is lost where text is copied
        data = text.strip().encode("ascii", "replace") + b"\r"
    else:
        try:
            data = parse_hex(text)
        except ValueError as error:
            return Description("unknown", str(error))
    description = protocol.describe(data)
    other = look_alike(protocol, data) if description.kind == "unknown" else None
    return Description("unknown", str(other)) if other else description


def as_json(description: Description) -> str:
    """One line."""
    head = {
        "kind": description.kind,
        "ok": not description.error,
        "error": description.error or None,
        "address": description.address,
    }
    return json.dumps(head | dict(description.values), allow_nan=False)


def as_page(description: Description) -> str:
    """A heading and a line a value."""
    sender = "" if description.address is None else f" 0x{description.address:02X}"
    heading = f"{description.kind}{sender}"
    if description.error:
        return f"{heading}: refused, {description.error}"
    return "\n".join([heading, *_lines(description.values.items())])


def _lines(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    for key, value in items:
        unit = _UNITS.get(key, "")
        if isinstance(value, list) and key in _UNITS:
            yield from _list_lines(key, value, unit)
        else:
            yield f"  {key:<26}{_plain(value)} {unit}".rstrip()


def _list_lines(key: str, values: list[object], unit: str) -> Iterator[str]:
    for start in range(0, len(values), _PER_LINE):
        part = " ".join(f"{_plain(value):>6}" for value in values[start : start + _PER_LINE])
        yield f"  {key if start == 0 else '':<26}{part} {unit}".rstrip()


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return "  ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
