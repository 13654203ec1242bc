from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gi")

PROGRAM = """
import sys
from packbank.outputs.venus.bindings import GLib, dbus
context = GLib.MainContext.default()
assert "cairo" not in sys.modules, sorted(sys.modules)
assert dbus.mainloop.glib.DBusGMainLoop() is not None
"""


def test_nothing_that_draws_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
