"""What holds for every test."""

from isolation import pytest_configure

__all__ = ["pytest_configure"]
