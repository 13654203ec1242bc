from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import time

from packbank.logs import LINES_KEPT, log_to

LINE = "x" * 200


def read_all(descriptor: int) -> str:
    """What is in the pipe once its writers are closed."""
    data = b""
    while chunk := os.read(descriptor, 65536):
        data += chunk
    return data.decode()


def test_lines_come_in_order_with_their_level() -> None:
    reader, writer = os.pipe()
    with log_to(writer, "INFO"):
        logging.getLogger("a").info("one")
        logging.getLogger("b").warning("two")
        logging.getLogger("b").debug("not this one")
        print("a traceback", file=sys.stderr)
    os.close(writer)
    assert read_all(reader) == "INFO one\nWARNING two\na traceback\n"
    os.close(reader)


def test_a_full_pipe_blocks_nobody_and_every_line_is_read_or_counted_as_dropped() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    logged = 3 * LINES_KEPT
    begun = time.monotonic()
    with log_to(writer, "INFO") as log:
        for _ in range(logged):
            logging.info(LINE)
        assert time.monotonic() - begun < 30.0  # it returned at all; a write would have waited for ever
        assert log.dropped
        text = ""
        while log.dropped or "dropped" not in text:
            text += os.read(reader, 65536).decode()
            logging.info("room again")
            logged += 1
            time.sleep(0.001)
    os.close(writer)
    text += read_all(reader)
    os.close(reader)
    counts = [int(count) for count in re.findall(r"WARNING (\d+) lines of this log were dropped", text)]
    assert sum(counts) >= LINES_KEPT
    assert len(text.splitlines()) - len(counts) + sum(counts) == logged


def test_what_was_before_is_there_again_afterwards() -> None:
    handlers, stream = logging.getLogger().handlers[:], sys.stderr
    reader, writer = os.pipe()
    with log_to(writer, "DEBUG"):
        assert sys.stderr is not stream
    assert (logging.getLogger().handlers, sys.stderr) == (handlers, stream)
    os.close(writer)
    os.close(reader)
