"""Makes a test run depend on nothing around it, and leave nothing behind.

Everything here also holds for the processes that tests start, since it is in the environment or in what they inherit.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

FOREIGN = ("DBUS_", "PACKBANK_", "PYTHONWARNINGS", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "XDG_", "LC_", "LANG")
# What scripts/test-install passes to the tests of the emulated GX: without it they would be left out.
PASSED = ("PACKBANK_ARCHIVE", "PACKBANK_PARTS", "PACKBANK_CPU")
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def pytest_configure(config: pytest.Config) -> None:
    """Leave out the user's environment, and look for Venus OS in an empty folder instead of the machine's root.

    Temporary files go to a folder that is removed at the end, so that a process that was killed leaves none. So do
    those of pytest unless ``--basetemp`` names a folder: its own names, and xdist's, are too long for Unix sockets.
    """
    for name in [name for name in os.environ if name.startswith(FOREIGN) and name not in PASSED]:
        del os.environ[name]
    scratch = Path(tempfile.mkdtemp(prefix="packbank-"))
    config.add_cleanup(lambda: shutil.rmtree(scratch, ignore_errors=True))
    config.option.basetemp = config.option.basetemp or str(scratch / "t")
    for variable, name in (("PACKBANK_ROOT", "root"), ("TMPDIR", "tmp"), ("RUNTIME_DIRECTORY", "run")):
        (scratch / name).mkdir(mode=0o700)
        os.environ[variable] = str(scratch / name)
    tempfile.tempdir = os.environ["TMPDIR"]
    for number in ENDINGS:
        _receive(number)
    # A busy machine is no finding: no example has a deadline, and none is too slow to make.
    settings.register_profile("packbank", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("packbank")


def _receive(number: signal.Signals) -> None:
    """Let a signal end the run as Ctrl-C does, so that fixtures end what they started.

    One that is ignored, as nohup and a shell's ``&`` set it, gets a handler that does nothing: other than an ignored
    signal, a handler is not inherited, so the processes under test get the usual one.
    """
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:
        signal.signal(number, _pass_over)
    elif before is signal.SIG_DFL:
        signal.signal(number, _interrupt)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    return None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
