"""What tests of buses share."""

from pseudo_terminal import terminal

__all__ = ["terminal"]
