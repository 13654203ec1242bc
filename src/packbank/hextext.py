"""Bytes as people write them in hex, and lines of a file that may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

LONGEST_LINE = 1 << 19  # bytes; the longest line of a capture, a message of another host, has half of it
BETWEEN = re.compile(r"""(?:[\s,;:.|\-\[\](){}<>"']|\bb(?=['"]))+""")
LENGTH = re.compile(r"\(\d+\)\s*$")  # ESPHome writes how many bytes there are
PREFIX = re.compile(r"0[xX]|\\x|\$")


def parse_hex(text: str) -> bytes:
    """The bytes of ``text``: digits in one piece, or a list with anything usual between them and before each.

    In a list of bytes one digit is a byte. Raises ValueError that says what is no hex.
    """
    words = [word for word in BETWEEN.split(LENGTH.sub("", PREFIX.sub(r" \g<0>", text))) if word]
    digits = [PREFIX.sub("", word) for word in words]
    strange = next((re.search(r"[^0-9a-fA-F]", word) for word in digits if re.search(r"[^0-9a-fA-F]", word)), None)
    if strange:
        raise ValueError(f"not hex: {strange.group()!r} is no digit of it")
    if len(digits) > 1 and all(len(word) <= 2 for word in digits):
        return bytes(int(word, 16) for word in digits if word)
    if odd := next((word for word in digits if len(word) % 2), ""):
        if len(digits) > 1 and all(word.isdecimal() and int(word) < 256 for word in digits):
            raise ValueError(f"not hex: {odd} has {len(odd)} digits; write the bytes in hex, not as decimal numbers")
        raise ValueError(f"not hex: an odd number of digits, {len(odd)}{' in a piece' if len(digits) > 1 else ''}")
    return bytes.fromhex("".join(digits))


def lines_of(file: IO[bytes]) -> Iterator[str]:
    """The lines of ``file``, whatever is in it; ValueError for one of more than :data:`LONGEST_LINE` bytes."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"a line of more than {LONGEST_LINE} bytes")
        yield line.decode("utf-8", "replace")
