from __future__ import annotations

import fcntl
import logging
import os
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


def test_a_full_pipe_blocks_nobody_and_the_lines_that_were_dropped_are_counted() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    begun = time.monotonic()
    with log_to(writer, "INFO") as log:
        for _ in range(3 * LINES_KEPT):
            logging.info(LINE)
        assert log.dropped >= LINES_KEPT
        assert time.monotonic() - begun < 30.0  # it returned at all; a write would have waited for ever
        text = ""
        while "dropped" not in text:
            text += os.read(reader, 65536).decode()
            logging.info("room again")
            time.sleep(0.001)
    assert "lines of this log were dropped" in text
    os.close(writer)
    read_all(reader)
    os.close(reader)


def test_what_was_before_is_there_again_afterwards() -> None:
    handlers, stream = logging.getLogger().handlers[:], sys.stderr
    reader, writer = os.pipe()
    with log_to(writer, "DEBUG"):
        assert sys.stderr is not stream
    assert (logging.getLogger().handlers, sys.stderr) == (handlers, stream)
    os.close(writer)
    os.close(reader)
