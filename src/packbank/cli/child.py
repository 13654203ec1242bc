"""Processes that the demo starts: each ends with the demo, however that ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Sequence
from typing import IO

from packbank.cli.signals import uninterrupted

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def start_child(command: Sequence[str], output: IO[bytes] | int, errors: int | None = None) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, so that a Ctrl-C is for us alone. To be called by the main thread.

    The kernel ends it (SIGTERM) when we are killed and can no longer do so.
    """
    libc = ctypes.CDLL(None)

    def end_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    with uninterrupted():  # in what Python does at a fork an exception would be lost
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  calls of the kernel, which take no lock
        )


def end_child(process: subprocess.Popen[bytes]) -> None:
    """End it and wait until it has."""
    process.terminate()
    process.wait()
