"""What may stand as PORT: a device, a gateway's address, or a recording."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from packbank.config.values import LAST_PORT

REPLAY = "replay:///"
GATEWAYS = ("socket", "rfc2217")
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_-]{1,63})*\.?")
IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?")
OPTIONS = frozenset(("ign_set_control", "poll_modem", "timeout", "logging"))  # pyserial, rfc2217 only
LONGEST_PATH = 4095  # bytes; Linux, PATH_MAX
LONGEST_NAME = 255  # bytes of a part of a path
SHAPE = "write socket://HOST:PORT or rfc2217://HOST:PORT"


def wrong_port(port: str) -> str:
    """Why ``port`` can be none, with what to write; empty when it can."""
    if "://" not in port:
        return wrong_path(port, f"is not a device; write its whole path, such as /dev/{port.lstrip('./')[:40]}")
    if port.startswith(REPLAY):
        return wrong_path(port.removeprefix("replay://"), "names no file; write replay:///PATH")
    return wrong_address(port, GATEWAYS, SHAPE)


def wrong_address(url: str, schemes: tuple[str, ...], shape: str) -> str:
    """Why ``url`` is not SCHEME://HOST:PORT; empty when it is."""
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError:  # not a number, beyond 65535, or a bracket without its other half
        host, number = None, None
    beyond = re.search(r":([0-9]+)(?=[/?]|$)", url.partition("://")[2])
    if beyond and not 0 < int(beyond[1][:6]) <= LAST_PORT:
        return f"has no port from 1 to {LAST_PORT}; {shape}"
    if host is None or number is None or parts.scheme not in schemes:
        return f"is not a gateway's address; {shape}"
    wrong = {
        "has a user or a password in it, which no gateway asks for": "@" in parts.netloc,
        "has a host that no machine can have": not (HOST.fullmatch(host) or (IPV6.fullmatch(host) and "[" in url)),
        "has something behind the port": (
            parts.path not in ("", "/") or parts.fragment or (parts.query and parts.scheme != "rfc2217")
        ),
    }
    if reason := next((reason for reason, so in wrong.items() if so), ""):
        return f"{reason}; {shape}"
    if unknown := parse_qs(parts.query, keep_blank_values=True).keys() - OPTIONS:
        return f"has an unknown option {min(unknown)}; options are {', '.join(sorted(OPTIONS))}"
    return ""


def wrong_path(path: str, relative: str) -> str:
    """Why ``path`` cannot be a file's; ``relative`` is said of one that does not begin with a slash."""
    if not path.startswith("/"):
        return relative
    if not path.isprintable():
        return "has a character that cannot be shown; remove it"
    encoded = path.encode(errors="surrogateescape")
    if len(encoded) > LONGEST_PATH or any(len(part) > LONGEST_NAME for part in encoded.split(b"/")):
        return f"is too long for a path; a name has at most {LONGEST_NAME} bytes"
    return ""
