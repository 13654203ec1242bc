"""Where the broker is, how it is trusted, and what its refusals mean to a user."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from packbank.config.model import MqttConfig
from packbank.errors import LinkError

PORTS = {"mqtt": 1883, "mqtts": 8883}
_UNREACHABLE: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (LinkError, "{}"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted ({}): check CA or CERTIFICATE"),
    (ssl.SSLError, "no TLS connection ({}): check the port in BROKER, 8883 is usual for mqtts"),
    (socket.gaierror, "its name is not known: check BROKER and the network"),
    (TimeoutError, "it does not answer: check BROKER and the network"),
    (ConnectionRefusedError, "nothing listens there: check BROKER, and whether the broker runs"),
    (Exception, "no connection ({})"),
)
_REFUSED = {
    "Bad user name or password": "it refuses the user: check USERNAME and the password in PASSWORD_FILE",
    "Not authorized": "it refuses the user: check USERNAME and the password in PASSWORD_FILE",
    "Banned": "it has banned this user or machine",
    "Server busy": "it is busy",
    "Server unavailable": "it is not ready",
    "Connection rate exceeded": "it says that we connect too often",
}


def address(config: MqttConfig) -> tuple[str, int]:
    """The broker's host and port."""
    url = urlsplit(config.broker)
    return url.hostname or "", url.port or PORTS[url.scheme]


def password(config: MqttConfig) -> str | None:
    """The first line of PASSWORD_FILE, ``None`` without one. Raises LinkError when it cannot be read."""
    if not config.password_file:
        return None
    try:
        lines = Path(config.password_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise LinkError(f"PASSWORD_FILE {config.password_file} cannot be read ({reason})") from None
    return lines[0] if lines else ""


def tls(config: MqttConfig) -> ssl.SSLContext | None:
    """How the broker proves who it is; ``None`` without TLS. Raises LinkError when a file cannot be used.

    With CERTIFICATE that very certificate is the only one that is trusted, so the name in it does not matter: a GX
    calls itself venus.local wherever it is.
    """
    if not config.broker.startswith("mqtts:"):
        return None
    chosen = config.certificate or config.ca
    try:
        context = ssl.create_default_context(cafile=chosen or None)
    except (OSError, ValueError) as error:
        key = "CERTIFICATE" if config.certificate else "CA"
        raise LinkError(f"{key} {chosen} cannot be used ({_short(error)}): it must be a PEM file") from None
    if config.certificate:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def why_unreachable(error: Exception) -> str:
    """Why no connection came about, and what to do."""
    return next(text for kind, text in _UNREACHABLE if isinstance(error, kind)).format(_short(error))


def why_refused(reason: str) -> str:
    """What the broker's own word means to a user."""
    return _REFUSED.get(reason, f"it refuses the connection: {reason}")


def _short(error: Exception) -> str:
    """What went wrong, without the numbers of libraries."""
    candidates = (getattr(error, name, None) for name in ("verify_message", "reason", "strerror"))
    return next((text for text in candidates if isinstance(text, str) and text), str(error) or type(error).__name__)
