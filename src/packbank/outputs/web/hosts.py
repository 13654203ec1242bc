"""Under which names the page may be asked for: the guard against DNS rebinding.

A foreign web page can let a name of its own point to this machine, and a browser then takes what we answer for that
page's own. It cannot change the name that the browser sends us. Addresses in numbers are no names, so they are safe.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{1,5})?")


def own_names(more: Iterable[str] = ()) -> frozenset[str]:
    """The names of this machine, those that a GX has, and ``more``; in small letters."""
    name = socket.gethostname().lower()
    return frozenset((name, f"{name.partition('.')[0]}.local", "localhost", "venus.local", *more))


def welcome(host: str, names: frozenset[str]) -> bool:
    """Whether a request with this ``Host`` is for us."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found[1] or found[2]).removesuffix(".").lower()
    if name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
