"""The simulated bank in a process of its own, so that the demo's figures are those of the daemon alone."""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from contextlib import ExitStack
from types import TracebackType

from packbank.cli.child import end_child, start_child
from packbank.errors import LinkError
from packbank.sim.wire_bank import Truth

START_TIMEOUT = 20.0  # s, for a slow machine to start Python and numpy
CHUNK = 65536
PASSED_ON = ("packs", "buses", "protocol", "cells", "seed")
SWITCHES = ("mix", "master")


class Simulator:
    """``packbank simulate --json`` as a child. The ports exist while the context is open."""

    def __init__(self, args: argparse.Namespace) -> None:
        """``args`` as :func:`packbank.cli.simulate.add_bank_arguments` makes them."""
        self._command = [sys.executable, "-m", "packbank", "simulate", "--json"]
        self._command += [f"--{name}={getattr(args, name)}" for name in PASSED_ON]
        self._command += [f"--{name}" for name in SWITCHES if getattr(args, name)]
        self._command += [f"--fault={fault}" for fault in args.fault]
        self._command += [f"--faults={file}" for file in args.faults]
        self._unread = b""
        self.ports: list[str] = []
        self.start = 0.0  # monotonic time from which the times of faults count
        self.truth: Truth | None = None

    def __enter__(self) -> Simulator:
        self._process = start_child(self._command, subprocess.PIPE)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        with ExitStack() as undo:
            undo.callback(self._end)
            self._await_ports()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self) -> None:
        """Take in what the child has said: :attr:`truth` becomes its newest figures. LinkError when it has ended."""
        try:
            while data := os.read(self._output, CHUNK):
                self._unread += data
        except BlockingIOError:
            self._understand()
            return
        raise LinkError(f"the simulator has ended with exit code {self._process.wait()}")

    def _understand(self) -> None:
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "ports" in said:
                self.ports, self.start = said["ports"], said["start"]
            else:
                self.truth = Truth(**said)

    def _await_ports(self) -> None:
        until = time.monotonic() + START_TIMEOUT
        while not self.ports:
            if time.monotonic() > until:
                raise LinkError(f"the simulator did not start within {START_TIMEOUT:.0f} s")
            select.select([self._output], [], [], 0.5)
            self.read()

    def _end(self) -> None:
        end_child(self._process)
        assert self._process.stdout is not None
        self._process.stdout.close()
