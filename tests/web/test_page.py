"""The page in a real browser: what an owner sees and does. One browser for all tests; no error on its console."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h11", reason="the web page is an extra: pip install packbank[web]")
pytest.importorskip("playwright", reason="the page's tests need playwright (scripts/setup --dev)")

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from live_bank import LiveBank
from packbank.config.model import WebConfig
from packbank.outputs.web.output import WebOutput
from packbank.sim.bank import Odd

CHROMIUM = shutil.which("chromium")
PERIOD = 0.15  # s between two snapshots: the page takes them as they come
TIMEOUT = 60_000.0  # ms until a test that waits has failed, however busy the machine is
WIDE, PHONE = (1180, 900), (360, 740)
AWAY = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "503")  # what a browser says of a server that we took away
if CHROMIUM is None:
    pytest.skip("the page's tests need a browser: package chromium, or scripts/setup --dev", allow_module_level=True)


class Shown:
    """A simulated bank on a page of its own, a second older each :data:`PERIOD` while ``running``."""

    def __init__(self, packs: int, *, silent: set[int] | None = None, known: bool = True) -> None:
        self.live = LiveBank(packs, odd=[Odd(leading_cell=8.0)])
        self.live.silent = silent or set()
        if not known:
            self.live.rows[:] = np.nan
        self.names: list[str] | None = None
        for _ in range(90):
            self.newest = self.live.look()  # a pack that is silent is lost by now
        self.live.step(12.0, 3)
        self.running = True
        self._over, self._turn = Event(), Lock()
        self._output = WebOutput(WebConfig(listen="127.0.0.1:0"))
        self._show()
        self.address = f"http://127.0.0.1:{self._output.port}/"
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _show(self) -> None:
        shown = self.live.step(12.0)
        if self.names:
            packs = replace(shown.battery.packs, names=tuple(self.names))
            shown = replace(shown, battery=replace(shown.battery, packs=packs))
        self.newest = shown
        self._output.show(shown)

    def _run(self) -> None:
        while not self._over.wait(PERIOD):
            with self._turn:
                if self.running:
                    self._show()

    def freeze(self, voltage: float) -> None:
        """The daemon shows this voltage, and then nothing more."""
        with self._turn:
            self.running = False
            newest = self.live.step(12.0)
            self._output.show(replace(newest, battery=replace(newest.battery, voltage=voltage)))

    def restart(self) -> None:
        """The daemon is gone and comes back, on the same port."""
        with self._turn:
            port = self._output.port
            self._output.close()
            self._output = WebOutput(WebConfig(listen=f"127.0.0.1:{port}"))
            self.running = True

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._output.close()


Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens a page of a bank; at the end its console must be empty."""
    said: list[str] = []
    pages: list[Page] = []

    def visit(shown: Shown, where: str = "", size: tuple[int, int] = WIDE, *, clock: bool = False) -> Page:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        pages.append(page)
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: said.append(_line(message)))
        page.on("pageerror", lambda error: said.append(str(error)))
        if clock:
            page.clock.install()
        page.goto(shown.address + where)
        page.wait_for_selector("main h1")
        return page

    yield visit
    for page in pages:
        page.close()
    assert [line for line in said if not any(words in line for words in AWAY)] == []


def _line(message: ConsoleMessage) -> str:
    return f"{message.type} {message.text}"


@contextmanager
def shown(packs: int, **how: Any) -> Iterator[Shown]:
    bank = Shown(packs, **how)
    try:
        yield bank
    finally:
        bank.close()


def texts(page: Page, selector: str) -> list[str]:
    return [str(text) for text in page.locator(selector).all_inner_texts()]


def test_the_first_screen_says_how_the_bank_is(visit: Open) -> None:
    with shown(15, silent={2}) as bank:
        page = visit(bank)
        page.wait_for_selector(".packs tbody tr:nth-child(15)")
        battery = bank.newest.battery
        figures = " ".join(texts(page, ".figures"))
        for part in (f"{battery.voltage:.2f} V"[:4], "14 of 15", "1 not there", "charging", "bulk"):
            assert part in figures
        limits = texts(page, ".limits tbody tr")
        assert [row.split()[0] for row in limits] == ["CVL", "CCL", "DCL"]
        assert all(re.search(r"\d [VA]\s+\S", row) for row in limits)  # a value and a reason
        assert "warning: a pack does not answer (pack 3)" in page.inner_text("#alarms")
        assert "live" in page.inner_text("#age")
        lost = page.locator(".packs tbody tr").nth(2)
        assert "✕ lost" in lost.inner_text()
        assert lost.get_attribute("class") == "stale"
        about = page.get_attribute(".map canvas[role=img]", "aria-label") or ""
        worst = bank.live.names[bank.live.bank.special]
        assert re.match(rf"Heat map, .*: 14 packs, the largest \d+ mV in {worst}$", about)
        _follows(page, bank)


def _follows(page: Page, bank: Shown) -> None:
    """A pack that falls silent looks so, and looks well again when it is back; without another visit."""
    bank.live.silent = set()
    page.wait_for_selector(".packs tbody tr:nth-child(3):not(.stale)")
    bank.live.silent = {4}
    page.wait_for_selector(".packs tbody tr.stale:nth-child(5) >> text=silent")


def test_a_pack_is_reached_by_keyboard_and_shown_whole(visit: Open) -> None:
    with shown(4) as bank:
        page = visit(bank)
        page.wait_for_selector(".packs tbody tr:nth-child(4)")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        page.locator(".packs tbody a").nth(1).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("h1 >> text=pack 2")
        assert page.evaluate("document.activeElement.tagName") == "H1"  # a screen reader goes on from here
        page.wait_for_selector(".bars tbody tr:nth-child(16)")
        rows = texts(page, ".bars tbody tr")
        assert sum("highest" in row for row in rows) == sum("lowest" in row for row in rows) == 1
        assert all(re.search(r"3\.\d{3} V", row) for row in rows)
        assert re.search(r"Bars from \W\d+ to \+\d+ mV around the mean of 3\.\d{3} V", page.inner_text(".cells"))
        whole = page.inner_text("main")
        for part in ("400001", "cell over-voltage protection", "3.650 V", "MOSFETs", "Charge switch", "no alarm"):
            assert part in whole
        page.wait_for_selector(".history canvas")
        page.click("text=next")
        page.wait_for_selector("h1 >> text=pack 3")


@pytest.mark.slow
def test_the_worst_cell_of_300_packs_is_two_actions_away(visit: Open) -> None:
    with shown(300) as bank:
        worst = bank.live.names[bank.live.bank.special]
        page = visit(bank)  # the first action
        page.wait_for_selector(".worst li:nth-child(5)")
        assert len(texts(page, ".packs tbody tr")) == 50
        page.locator(".worst a").first.click()  # the second
        page.wait_for_selector(f"h1 >> text='{worst}'")
        page.wait_for_selector(".bars tr:nth-child(3) >> text=highest")
        page.go_back()
        page.click("th >> text=Δ mV")
        page.wait_for_selector(f".packs tbody tr:first-child >> text='{worst}'")
        assert page.get_attribute("th:has-text('Δ mV')", "aria-sort") == "descending"
        page.fill("input[type=search]", "bus20 ok")
        page.wait_for_selector("text=15 of 300 packs")
        page.fill("input[type=search]", "")
        page.click("text=Show all 300")
        page.wait_for_selector(".packs tbody tr:nth-child(300)")
        _map_leads_to_packs(page)


def _map_leads_to_packs(page: Page) -> None:
    page.locator(".map canvas[role=img]").click(position={"x": 5, "y": 25})
    page.wait_for_selector("h1 >> text='pack 1'")


def test_a_lost_connection_is_shown_within_three_seconds_and_found_again(visit: Open) -> None:
    with shown(4) as bank:
        page = visit(bank, clock=True)
        page.wait_for_selector(".packs tbody tr:nth-child(4)")
        bank.freeze(12.34)
        page.wait_for_selector(".figures >> text=12.34 V")  # nothing more is on its way
        page.clock.pause_at(page.evaluate("Date.now() + 500"))
        page.clock.run_for(2500)
        assert "Nothing is heard from packbank" in page.inner_text("#lost")
        assert "s old" in page.inner_text("#age")
        assert page.evaluate("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        page.clock.resume()
        bank.restart()
        page.wait_for_selector("#lost", state="hidden")
        assert "live" in page.inner_text("#age")


@pytest.mark.slow
@pytest.mark.parametrize("packs", [4, 64])
def test_nothing_is_wider_than_a_small_phone(visit: Open, packs: int) -> None:
    with shown(packs) as bank:
        page = visit(bank, size=PHONE)
        for where in ("#/", "#/pack/2", "#/charts", "#/events", "#/buses"):
            page.evaluate("where => { location.hash = where; }", where)
            page.wait_for_selector(
                {"#/": ".packs tbody tr:nth-child(4)", "#/buses": ".buses dd", "#/events": ".events thead"}.get(
                    where, "main canvas"
                )
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], where


@pytest.mark.slow
def test_everything_has_a_name_for_screen_readers(visit: Open) -> None:
    with shown(4) as bank:
        page = visit(bank)
        page.wait_for_selector(".packs tbody tr:nth-child(4)")
        for where in ("#/", "#/pack/1", "#/charts", "#/events", "#/buses"):
            page.evaluate("where => { location.hash = where; }", where)
            page.wait_for_selector("main h1")
            nameless = page.evaluate(
                """[...document.querySelectorAll("select, input, button, a, [role=img], section, nav")]
                    .filter((node) => !node.hidden && !node.ariaLabel && !node.textContent.trim())
                    .map((node) => node.outerHTML)"""
            )
            assert nameless == []
            assert page.locator("h1").count() == 1


@pytest.mark.slow
def test_a_bank_that_was_never_heard_has_dashes_and_no_zeros(visit: Open) -> None:
    with shown(4, silent={0, 1, 2, 3}, known=False) as bank:
        page = visit(bank)
        page.wait_for_selector(".packs tbody tr:nth-child(4)")
        assert [text.split("\n")[1] for text in texts(page, ".figures > div")][:4] == ["\N{EN DASH}"] * 4
        assert "0 of 4" in page.inner_text(".figures")
        for where in ("#/pack/1", "#/charts", "#/events", "#/buses"):
            page.evaluate("where => { location.hash = where; }", where)
            page.wait_for_selector("main h1")
        for _ in range(3):
            page.go_back()
        page.wait_for_selector("text=alarms are not known")


@pytest.mark.slow
def test_names_that_look_like_markup_are_texts(visit: Open) -> None:
    with shown(4, silent={1}) as bank:
        bank.names = [
            "<img src=x onerror=alert(1)>",
            '"><script>alert(2)</script>',
            "a&amp;b",
            "Ümläut 電池 " + "x" * 80,
        ]
        page = visit(bank, size=PHONE)
        page.wait_for_selector(".packs tbody tr:nth-child(4)")
        assert page.locator("main img, main script").count() == 0
        assert texts(page, ".packs tbody a") == bank.names
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        page.click(".packs tbody a >> nth=1")
        page.wait_for_selector(".bars tbody tr:nth-child(16)")
        assert page.inner_text("h1") == bank.names[1]


@pytest.mark.slow
def test_a_daemon_that_stands_still_is_never_shown_as_live(visit: Open) -> None:
    with shown(4) as bank:
        page = visit(bank)
        bank.freeze(12.34)
        page.wait_for_selector("#lost >> text=Nothing is heard")
        page.wait_for_timeout(4_000)  # another connection has been tried: it brings nothing new
        assert "Nothing is heard" in page.inner_text("#lost")
        assert "s old" in page.inner_text("#age")
