"""Every test asserts something, itself or in a helper of the tests."""

from __future__ import annotations

import ast
from collections.abc import Container
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PYTEST = ("raises", "fail", "warns")


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def asserts(function: ast.FunctionDef, helpers: Container[str]) -> bool:
    """Whether the function has an assertion, expects an error, or calls one of ``helpers``."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in PYTEST or called.startswith("assert_") or called in helpers:
                return True
    return False


def asserting_helpers(trees: list[ast.Module]) -> set[str]:
    """The functions of the tests, other than tests, that assert, or call one that does."""
    candidates = [one for tree in trees for one in functions(tree) if not one.name.startswith("test_")]
    helpers: set[str] = set()
    while found := {one.name for one in candidates if one.name not in helpers and asserts(one, helpers)}:
        helpers |= found
    return helpers


def without_assertion(texts: list[str]) -> list[str]:
    trees = [ast.parse(text) for text in texts]
    helpers = asserting_helpers(trees)
    tests = [one for tree in trees for one in functions(tree) if one.name.startswith("test_")]
    return [test.name for test in tests if not asserts(test, helpers)]


def test_every_test_asserts() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    assert without_assertion([file.read_text(encoding="utf-8") for file in files]) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("assert 1", []),
        ("with pytest.raises(ValueError): f()", []),
        ("np.testing.assert_allclose(a, b)", []),
        ("helper()", []),
        ("idle()", ["test_it"]),
        ("subprocess.run(['true'], check=True)", ["test_it"]),
    ],
)
def test_tests_without_an_assertion_are_found(body: str, found: list[str]) -> None:
    text = f"def test_it(): {body}\ndef helper(): deep()\ndef deep():\n    assert 1\ndef idle(): pass\n"
    assert without_assertion([text.replace("def test_it(): with", "def test_it():\n    with")]) == found
