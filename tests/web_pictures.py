"""The pictures of docs/web.md, each of a simulated bank in a real browser: ``scripts/pictures``."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from live_bank import LiveBank
from packbank.config.model import WebConfig
from packbank.outputs.web.history import Ring
from packbank.outputs.web.output import WebOutput
from packbank.sim.bank import Odd

COLOURS = 96  # of a picture: enough for text, and small
ODD = (Odd(leading_cell=4.0), Odd(capacity=0.85), Odd(resistance=1.5))


START = 14.5  # hour of the day
MINUTES = 24 * 60


class Picture(NamedTuple):
    """What to show of which bank: the address behind #, the part of the page from its top, and at which size (px)."""

    name: str
    packs: int
    where: str
    width: int
    height: int
    dark: bool = False


PICTURES = (
    Picture("web-bank", 15, "#/", 1000, 830),
    Picture("web-pack", 15, "#/pack/2", 1000, 740),
    Picture("web-charts", 15, "#/charts", 1000, 860, dark=True),
    Picture("web-phone", 15, "#/", 360, 740),
    Picture("web-300", 300, "#/", 1000, 690),
)


def live(packs: int) -> tuple[LiveBank, Ring]:
    """A bank after a day of sun, with the samples of that day; its third pack does not answer."""
    bank, ring = LiveBank(packs, odd=ODD, soc=84.0, cell_soc_spread=0.5, ambient_spread=4.0), Ring(packs)
    for minute in range(MINUTES if packs < 100 else 60):
        hour = (START + minute / 60.0) % 24.0
        sun = max(0.0, math.sin((hour - 6.0) / 13.0 * math.pi))
        for _ in range(6):
            bank.bank.step(10.0, packs * (18.0 * sun - 5.0))
        ring.add(bank.look(60))
    bank.silent = {4}
    bank.look(30)
    bank.look(60)
    bank.look(60)
    return bank, ring


@contextmanager
def served(packs: int) -> Iterator[tuple[LiveBank, WebOutput]]:
    bank, ring = live(packs)
    output = WebOutput(WebConfig(listen="127.0.0.1:0"), ring)
    output.show(bank.step(9.0))
    yield bank, output
    output.close()


def take(browser: Browser, picture: Picture, bank: LiveBank, output: WebOutput) -> bytes:
    """The picture as a PNG with few colours."""
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        timezone_id="UTC",
    )
    page.goto(f"http://127.0.0.1:{output.port}/{picture.where}")
    page.wait_for_selector("main canvas, main .bars")
    for _ in range(4):
        output.show(bank.step(9.0))
        page.wait_for_timeout(300)
    data = page.screenshot()
    page.close()
    small = BytesIO()
    Image.open(BytesIO(data)).convert("RGB").quantize(
        COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    ).save(small, "PNG", optimize=True)
    return small.getvalue()


def main(folder: Path) -> int:
    """Take all pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-lcd-text"]
        )
        for packs in dict.fromkeys(picture.packs for picture in PICTURES):
            with served(packs) as (bank, output):
                for picture in (picture for picture in PICTURES if picture.packs == packs):
                    data = take(browser, picture, bank, output)
                    (folder / f"{picture.name}.png").write_bytes(data)
                    print(f"{picture.name}.png: {len(data) / 1000:.0f} kB")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
