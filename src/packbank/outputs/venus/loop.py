"""The main loop of a process that is on the D-Bus: it sleeps until a message, a signal or the next tick is there.

The tick runs outside of GLib's callbacks, so what it raises reaches the caller of :func:`run_loop`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from packbank.outputs.venus.bindings import GLib


def run_loop(tick: Callable[[], bool], period: float = 1.0) -> None:
    """Call ``tick`` at once and then every ``period`` seconds, until it returns false or SIGTERM or SIGINT arrives."""
    context = GLib.MainContext.default()
    due = True
    stopped = False

    def on_timer() -> bool:
        nonlocal due
        due = True
        return bool(GLib.SOURCE_CONTINUE)

    def on_signal() -> bool:
        nonlocal stopped
        stopped = True
        return bool(GLib.SOURCE_CONTINUE)

    sources = [GLib.timeout_add(round(period * 1000), on_timer)]
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    sources += [GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, on_signal) for number in before]
    try:
        while not stopped:
            if due:
                due = False
                if not tick():
                    return
            context.iteration(True)
    finally:
        for source in sources:
            GLib.source_remove(source)
        for number, handler in before.items():
            signal.signal(number, handler)  # GLib leaves the default, which ends the process at once
