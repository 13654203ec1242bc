"""/data/rc.local, which Venus OS runs at the end of a boot: our line in it, and what others have there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from unpacked import boot_line, call, executable


def test_enable_links_the_service_and_outlives_a_boot(root: Path, app: Path) -> None:
    call(app / "enable.sh", root)
    call(app / "enable.sh", root)
    assert (root / "service/packbank").resolve() == app / "service"
    boot = root / "data/rc.local"
    assert boot.read_text() == "#!/bin/sh\n" + boot_line(app, root)
    (root / "service/packbank").unlink()  # as a boot does
    call(boot, root)
    assert (root / "service/packbank/run").exists()


@pytest.mark.parametrize(
    "others",
    ["echo other\n", "echo other", "echo other\nexit 0\n", "set -e\nif true; then\n    exit 0\nfi", "\n\n# end"],
)
def test_enable_keeps_what_else_is_started_at_boot(root: Path, app: Path, others: str) -> None:
    boot = root / "data/rc.local"
    executable(boot, others)
    boot.chmod(0o750)
    call(app / "enable.sh", root)
    assert boot.read_text() == "#!/bin/sh\n" + boot_line(app, root) + others.rstrip("\n") + "\n"
    (root / "service/packbank").unlink()
    call(boot, root)
    assert (root / "service/packbank/run").exists()
    call(app / "disable.sh", root)
    assert boot.read_text() == "#!/bin/sh\n" + others.rstrip("\n") + "\n"
    assert boot.stat().st_mode & 0o777 == 0o750


def test_a_boot_file_without_an_interpreter(root: Path, app: Path) -> None:
    (root / "data/rc.local").write_text("echo other")
    call(app / "enable.sh", root)
    assert (root / "data/rc.local").read_text() == boot_line(app, root) + "echo other\n"


def test_a_boot_file_that_is_a_link_stays_one(root: Path, app: Path) -> None:
    executable(root / "data/elsewhere", "echo other\n")
    (root / "data/rc.local").symlink_to(root / "data/elsewhere")
    call(app / "enable.sh", root)
    assert (root / "data/rc.local").is_symlink()
    assert boot_line(app, root) in (root / "data/elsewhere").read_text()


def test_a_boot_file_from_windows_runs_again(root: Path, app: Path) -> None:
    boot = root / "data/rc.local"
    boot.write_bytes(f"#!/bin/sh\r\necho other\r\n{boot_line(app, root)[:-1]}\r\n".encode())
    boot.chmod(0o755)
    call(app / "enable.sh", root)
    assert boot.read_bytes().decode() == "#!/bin/sh\n" + boot_line(app, root) + "echo other\n"
    boot.write_bytes(boot.read_bytes().replace(b"\n", b"\r\n"))
    call(app / "disable.sh", root)
    assert str(app) not in boot.read_text()


def test_a_boot_file_that_cannot_be_executed(root: Path, app: Path) -> None:
    """As Venus OS skips it; an owner may have meant that, so the script says it."""
    boot = root / "data/rc.local"
    boot.write_text("#!/bin/sh\necho other\n")
    assert "could not be executed" in call(app / "enable.sh", root).stdout
    assert os.access(boot, os.X_OK)
    assert "could not be executed" not in call(app / "enable.sh", root).stdout


def test_where_the_gx_has_modifications_switched_off(root: Path, app: Path) -> None:
    """Venus OS keeps rc.local under another name then, and gives its name back when they are switched on."""
    off = root / "data/rc.local.disabled"
    executable(off, "echo other\n")
    assert "Modification checks" in call(app / "enable.sh", root).stderr
    assert off.read_text() == "#!/bin/sh\n" + boot_line(app, root) + "echo other\n"
    assert not (root / "data/rc.local").exists()
    call(app / "disable.sh", root)
    assert off.read_text() == "#!/bin/sh\necho other\n"


def test_a_full_disk_leaves_the_boot_file_as_it_was(root: Path, app: Path) -> None:
    boot = root / "data/rc.local"
    executable(boot, "echo other\n")
    call(app / "enable.sh", root)
    before = boot.read_text()
    executable(root / "bin/cat", "/bin/cat >/dev/null; echo 'cat: write error: No space left on device' >&2; exit 1\n")
    refused = call(app / "disable.sh", root, check=False)
    assert refused.returncode == 1
    assert "is as it was" in refused.stderr
    assert boot.read_text() == before
    assert sorted(path.name for path in (root / "data").iterdir()) == ["apps", "rc.local"]
