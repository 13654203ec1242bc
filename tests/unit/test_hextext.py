"""Hex as people have it, and what is none."""

from __future__ import annotations

import io

import pytest

from packbank.hextext import LONGEST_LINE, lines_of, parse_hex

FRAME = bytes.fromhex("a501900800720000753001ef45")


@pytest.mark.parametrize(
    "text",
    [
        FRAME.hex(),
        FRAME.hex(" ").upper(),
        FRAME.hex("."),
        FRAME.hex(".").upper() + " (13)",
        FRAME.hex("-"),
        FRAME.hex(":"),
        ", ".join(map(hex, FRAME)),
        f"[{', '.join(map(hex, FRAME))}]",
        "{" + ",".join(f"0x{byte:02X}" for byte in FRAME) + "};",
        "".join(f"\\x{byte:02x}" for byte in FRAME),
        "b'" + "".join(f"\\x{byte:02x}" for byte in FRAME) + "'",
        f"0x{FRAME.hex()}",
        FRAME.hex(" ", 4),
        " ".join(f"{byte:x}" for byte in FRAME),
        "|".join(f"{byte:02x}" for byte in FRAME),
    ],
)
def test_every_usual_way_to_write_bytes(text: str) -> None:
    assert parse_hex(text) == FRAME


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a5019", "an odd number of digits, 5"),
        ("a501 908", "an odd number of digits, 3 in a piece"),
        ("a5 zz", "'z' is no digit"),
        ("[165, 1, 144, 8]", "not as decimal numbers"),
        ("A5Ä1", "'Ä' is no digit"),
    ],
)
def test_what_is_no_hex_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="not hex") as caught:
        parse_hex(text)
    assert says in str(caught.value)


def test_lines_of_anything_are_texts_of_bounded_length() -> None:
    assert list(lines_of(io.BytesIO(b"a5\r\n\xff\xfe\nend"))) == ["a5\r\n", "\ufffd\ufffd\n", "end"]
    with pytest.raises(ValueError, match="a line of more than"):
        list(lines_of(io.BytesIO(bytes(LONGEST_LINE + 1))))
