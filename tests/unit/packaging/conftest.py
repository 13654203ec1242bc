"""What tests of the service files share."""

from unpacked import app, root

__all__ = ["app", "root"]
