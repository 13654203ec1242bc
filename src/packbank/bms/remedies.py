"""What to do about answers that are refused, by the first word of their FrameError: for log, ``doctor``, ``scan``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WIRES = (
    "check A and B, the termination at both ends and the shields; an FT232R adapter loses bytes; two packs at one "
    "address garble each other"
)
_FAMILY = "the pack speaks another protocol: set PROTOCOL, or the protocol in the BMS's app"
_TOPICS = "let only 'packbank forward' write these topics: a user and an ACL for each host, as in docs/hosts.md"
MASTER = "let only one device ask: no pack at address 0, no other program or display on this bus; or MODE = listen"
_BMS = "these values cannot be true: update the firmware of the BMS, else send us 'packbank run --capture FILE'"

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("sum8", "sum16", "ack", "check", "truncated", "incomplete", "payload", "ids", "groups", "jump"), _WIRES
        ),
        **dict.fromkeys(("type", "layout", "ascii", "terminal", "unknown"), _FAMILY),
        "family": "set PROTOCOL as the message says",
        **dict.fromkeys(("foreign", "master", "unattributed"), MASTER),
        **dict.fromkeys(("json", "message", "large", "retained"), _TOPICS),
        "boot": "nothing, when the sender has just started; else give each sender its own HOST",
        "duplicate": "nothing, when there are few; else give each sender its own HOST",
        "late": "look at the network between this host, the broker and the sender",
        "two": "give each sender its own HOST, and its own user and ACL at the broker",
        "modbus": "set the protocol of this port as the message says, or PROTOCOL",
        "refused": "the pack does not know this question: update its firmware, or set another PROTOCOL",
        "unlisted": "add the address to BATTERY_ADDRESSES, or take the pack off this bus",
        "cells": "set the number of cells in the BMS's app to the number that the pack has, and check its sense leads",
        "empty": "no pack goes by this number: use the address that the pack itself has, or wake its BMS",
        "frozen": "restart the BMS: its values do not change any more",
        "ticks": "give every pack an address of its own; if this one has one, restart its BMS",
        "asleep": "the Daly board sleeps: set 'Sleep time(S)' to 65535 in BmsMonitor",
        "sign": "set INVERT_CURRENT_MEASUREMENT for this pack, as the last refusal says",
        "board": "give every Daly pack its own board number and its own 'Battery code' in BmsMonitor",
    }
)
SHARED = "give each pack an address of its own (DIP switches: 'packbank dip'), then restart both"


def remedy(reason: str) -> str:
    """What to do about answers refused for ``reason``."""
    return REMEDIES.get(reason, _BMS)
