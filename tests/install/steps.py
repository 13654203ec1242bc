"""What an owner types: the steps of docs/venus.md as they are quoted there, and what the page says one sees."""

from __future__ import annotations

import re
from pathlib import Path

from gx import APP, Gx, until
from gx_releases import Releases

PAGE = Path(__file__).parents[2] / "docs/venus.md"
ROW = re.compile(r"^\| (\d+) \| (.*) \| (.*) \|$", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
FIRST_STEP_ON_THE_GX = 5
START = 240.0  # s, under emulation and beside other work; a few when there is none


def commands(releases: str, version: str, packs: int) -> dict[int, tuple[str, list[str]]]:
    """By step: what is typed on the GX, and the words to be seen, for this release and this bank."""
    found = {}
    for number, do, see in ROW.findall(PAGE.read_text(encoding="utf-8")):
        if int(number) >= FIRST_STEP_ON_THE_GX and (command := QUOTED.search(do)):
            seen = [word.replace("0.1.0", version).replace("15", str(packs)) for word in QUOTED.findall(see)]
            found[int(number)] = command[1].replace("RELEASES", releases), seen
    return found


def quoted(command: str) -> str:
    """``command``, which the page has in this form."""
    assert command in PAGE.read_text(encoding="utf-8"), f"docs/venus.md no longer has: {command}"
    return command


def install(gx: Gx, address: str) -> str:
    """The one line of docs/venus.md; what it says."""
    return gx.run("sh", "-c", f"wget -q -O /tmp/install.sh {address}/install.sh && sh /tmp/install.sh").stdout


def start(gx: Gx) -> float:
    """The steps after an installation; the seconds to the battery."""
    gx.run("sh", "-c", f"cd {APP} && bin/packbank scan > config.ini")
    gx.run(f"{APP}/enable.sh")
    return until(gx.battery, START, gx.log)


def follow_the_page(gx: Gx, releases: Releases, address: str) -> None:
    """The steps of docs/venus.md as they are typed in one session, and what is to be seen at each."""
    steps = commands(address, releases.version, 3)
    session = [f"echo '== {number}'; {command} || echo 'exit code' $?" for number, (command, _) in steps.items()]
    doctor = session.pop()
    said = gx.run("sh", "-c", "\n".join(session)).stdout
    print(f"battery after {until(gx.battery, START, gx.log):.1f} s, under emulation")
    assert gx.set("/Settings/Services/Bol", 1, "com.victronenergy.settings") == 0  # step 9: DVCC on
    said += gx.run("sh", "-c", f"cd {APP}; PATH=$PATH:$PWD/bin; {doctor}").stdout
    parts = re.split(r"^== (\d+)\n", said, flags=re.MULTILINE)[1:]
    seen = dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
    assert "exit code" not in said, said
    assert "/dev/ttyUSB0: in use by packbank" in seen[10]
    for number, (_, words) in steps.items():
        assert [word for word in words if word not in seen[number]] == [], seen[number]


def update(gx: Gx, releases: Releases, name: str, within: int = 200) -> str:
    """The installed install.sh, with another release and the seconds that its battery may take."""
    environment = f"PACKBANK_KEY={releases.key} PACKBANK_RELEASES={releases.address(name)}"
    command = f"{environment} PACKBANK_BATTERY_WITHIN={within} {APP}/install.sh"
    return gx.run("sh", "-c", command, check=False).stdout
