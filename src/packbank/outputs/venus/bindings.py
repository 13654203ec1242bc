"""dbus-python and PyGObject, or an error that says how to get them; the rest of this folder imports them here."""

from __future__ import annotations

import sys

from packbank.errors import ConfigError

# PyGObject loads what it needs to draw when it is imported: cairo, X11 and fonts, 2 MB that nobody here uses.
sys.modules.setdefault("gi._gi_cairo", None)  # type: ignore[arg-type]  # as if it were not installed

try:
    import dbus
    import dbus.bus
    import dbus.lowlevel
    import dbus.mainloop.glib
    from gi.repository import GLib
except ImportError as missing:
    raise ConfigError(
        f"the D-Bus needs dbus-python and PyGObject ({missing}); "
        "pip install 'packbank[venus]', on Debian apt install python3-dbus python3-gi, or run with --no-dbus"
    ) from missing

__all__ = ["GLib", "dbus"]
