"""The terminal of ``packbank top``: draws frames and takes keys, with the standard library's curses."""

from __future__ import annotations

import curses
import locale
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

from packbank.cli.feed import Feed, open_feed
from packbank.cli.pages.words import Report, Style, cut, padded
from packbank.cli.top_view import Frame, Key, View, frame, press
from packbank.errors import LinkError

LOOK_EVERY = 1.0  # s, for the size of the terminal and the age of what is shown
STALE = 3.0  # s without a line
QUIT = {ord("q"), ord("Q")}
KEYS = {
    curses.KEY_UP: Key.UP,
    ord("k"): Key.UP,
    curses.KEY_DOWN: Key.DOWN,
    ord("j"): Key.DOWN,
    curses.KEY_PPAGE: Key.PAGE_UP,
    curses.KEY_NPAGE: Key.PAGE_DOWN,
    ord(" "): Key.PAGE_DOWN,
    curses.KEY_HOME: Key.FIRST,
    curses.KEY_END: Key.LAST,
    curses.KEY_LEFT: Key.LEFT,
    ord("<"): Key.LEFT,
    curses.KEY_RIGHT: Key.RIGHT,
    ord(">"): Key.RIGHT,
    curses.KEY_ENTER: Key.OPEN,
    ord("\n"): Key.OPEN,
    ord("\r"): Key.OPEN,
    27: Key.BACK,
    curses.KEY_BACKSPACE: Key.BACK,
    ord("r"): Key.REVERSE,
}
COLOURS = {Style.WARNING: curses.COLOR_YELLOW, Style.ALARM: curses.COLOR_RED}


def watch(feed: Feed, config_file: Path | None) -> None:
    """Show what ``feed`` reports until the user quits or the terminal is gone; the terminal is then as it was."""
    report = feed.first()
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    curses.set_escdelay(25)
    with suppress(curses.error):  # the terminal is gone
        curses.wrapper(lambda window: _Screen(window).watch(feed, report, config_file))


class _Screen:
    def __init__(self, window: curses.window) -> None:
        self._window = window
        self._styles = {Style.PLAIN: curses.A_NORMAL, Style.TITLE: curses.A_BOLD}
        self._styles |= dict.fromkeys(COLOURS, curses.A_BOLD)
        with suppress(curses.error):
            curses.curs_set(0)
        if curses.has_colors():
            curses.use_default_colors()
        if curses.has_colors() and not os.environ.get("NO_COLOR"):
            for number, (style, colour) in enumerate(COLOURS.items(), start=1):
                curses.init_pair(number, colour, -1)
                self._styles[style] |= curses.color_pair(number)
        window.nodelay(True)

    def watch(self, feed: Feed, report: Report, config_file: Path | None) -> None:
        """Until a key to quit, or the end of the input."""
        view, heard, trouble = View(), time.monotonic(), ""
        while True:
            height, width = self._window.getmaxyx()
            shown = frame(view, report, width, height)
            silence = time.monotonic() - heard
            self._draw(shown, trouble or (f"no news for {silence:.0f} s" if silence > STALE else ""), width, height)
            waited_for = [sys.stdin] if feed.ended else [sys.stdin, feed]
            readable = select.select(waited_for, [], [], LOOK_EVERY)[0]
            view = shown.view
            keys = list(iter(self._window.getch, -1))
            if QUIT.intersection(keys) or (not keys and sys.stdin in readable):  # nothing to read: the end of it
                return
            for key in filter(None, map(KEYS.get, keys)):
                view = press(view, key, report, width)
            if feed.ended:
                feed, trouble = _again(feed, config_file)
            if line := feed.newest():
                report, heard, trouble = line, time.monotonic(), ""

    def _draw(self, shown: Frame, trouble: str, width: int, height: int) -> None:
        self._window.erase()
        for at, line in enumerate(shown.lines):
            mark = curses.A_REVERSE if at == shown.marked else curses.A_NORMAL
            self._write(at, padded(line.text, width) if mark else line.text, self._styles[line.style] | mark, width)
        footer = f"{trouble}  q quit" if trouble else shown.footer
        self._write(height - 1, footer, self._styles[Style.ALARM if trouble else Style.TITLE], width - 1)
        self._window.refresh()

    def _write(self, at: int, text: str, style: int, width: int) -> None:
        encoding = self._window.encoding
        with suppress(curses.error):  # the terminal has become smaller meanwhile
            self._window.addstr(at, 0, cut(text, width).encode(encoding, "replace").decode(encoding), style)


def _again(feed: Feed, config_file: Path | None) -> tuple[Feed, str]:
    """A new feed when there is one again, and what is the matter when not."""
    try:
        again = open_feed(config_file)
    except LinkError:
        return feed, "the daemon has ended; waiting for the next"
    feed.close()
    return again, ""
