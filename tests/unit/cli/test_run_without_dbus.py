"""``packbank run`` where the modules of an extra are not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE


@pytest.mark.parametrize("module", ["dbus", "gi"])
def test_it_says_what_to_install_before_anything_starts(tmp_path: Path, module: str) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[bus:roof]\nPORT = /dev/no-such-port\nBATTERY_ADDRESSES = 0x01\n")
    program = (
        f"import sys; sys.modules['{module}'] = None; from packbank.cli import main; "
        f"sys.exit(main(['run', '--config', {str(config)!r}]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 2
    assert "pip install 'packbank[venus]'" in ended.stderr
    assert "apt install python3-dbus python3-gi" in ended.stderr
    assert "no-such-port" not in ended.stderr


def test_it_says_what_mqtt_needs(tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_text("[bus:roof]\nPORT = /dev/no-such-port\nBATTERY_ADDRESSES = 0x01\n[mqtt]\n")
    program = (
        "import sys; sys.modules['paho'] = None; from packbank.cli import main; "
        f"sys.exit(main(['run', '--no-dbus', '--config', {str(config)!r}]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 2
    assert "[mqtt]: needs paho-mqtt: pip install 'packbank[mqtt]'" in ended.stderr
    assert "Traceback" not in ended.stderr
