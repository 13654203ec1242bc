import pytest

pytest.importorskip("dbus.bus", reason="the D-Bus edge is an extra: pip install packbank[venus]")

from gx_fixtures import gx, pytest_collection_modifyitems, releases

__all__ = ["gx", "pytest_collection_modifyitems", "releases"]
