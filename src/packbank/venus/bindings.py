"""dbus-python and PyGObject, or an error that says how to get them; the rest of this folder imports them here."""

from __future__ import annotations

from packbank.errors import PackbankError

try:
    import dbus
    import dbus.bus
    import dbus.lowlevel
    import dbus.mainloop.glib
    from gi.repository import GLib
except ImportError as missing:
    raise PackbankError(
        f"the D-Bus needs dbus-python and PyGObject ({missing}): install packbank[venus], "
        "or on Debian python3-dbus and python3-gi; without a D-Bus use --no-dbus"
    ) from missing

__all__ = ["GLib", "dbus"]
