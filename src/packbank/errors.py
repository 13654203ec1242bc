"""The errors packbank raises on purpose.

    PackbankError
    +-- ConfigError (ValueError)   the user's file or arguments: says file, section, key, value, remedy
    +-- LinkError (OSError)        a port or a gateway: busy, forbidden, gone
    +-- FrameError (ValueError)    bytes from a BMS that are not the answer they should be

Each is also the nearest built-in, so a caller that only knows Python's own errors still catches it.
"""

from __future__ import annotations


class PackbankError(Exception):
    """Base of every error that packbank raises on purpose."""


class ConfigError(PackbankError, ValueError):
    """What the user wrote cannot be used; the message says where it stands and what to write instead."""


class LinkError(PackbankError, OSError):
    """A port cannot be opened, read or written; the message names it and says what to do."""


class FrameError(PackbankError, ValueError):
    """An answer failed a check.

    ``reason`` is a short stable word (``sum8``, ``type``, ``voltage``) that counters are kept under;
    the message adds the figures.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
