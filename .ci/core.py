"""The core stands alone: all but ``cli`` and what needs an extra imports without it, and a command works."""

import pkgutil
import sys
from importlib import import_module
from importlib.util import find_spec

import packbank
from packbank.cli import main

assert find_spec("dbus") is None, "this check needs an environment without dbus-python"
assert find_spec("gi") is None, "this check needs an environment without PyGObject"
assert find_spec("h11") is None, "this check needs an environment without h11"
assert find_spec("paho") is None, "this check needs an environment without paho-mqtt"

of_mqtt = ("packbank.mqtt", "packbank.outputs.mqtt", "packbank.sources.hosts")
extras = (*of_mqtt, "packbank.outputs.venus", "packbank.outputs.screen", "packbank.outputs.web")
skipped = (*extras, "packbank.cli", "packbank.__main__")
modules = [found.name for found in pkgutil.walk_packages(packbank.__path__, "packbank.")]
for name in modules:
    if not name.startswith(skipped):
        import_module(name)
assert any(name.startswith("packbank.cext.") for name in modules), "the compiled modules are not installed"
sys.exit(main(["dip", "3"]))
