from collections.abc import Iterable, Sequence
from typing import NamedTuple

class Tag(NamedTuple):
    tag: int
    size: int
    unit: int = 0

class TagList:
    size: int
    tags: tuple[int, ...]
    def __init__(self, tags: Sequence[Tag]) -> None: ...
    def place(self, tag: int) -> int: ...
    def unroll(self, data: bytes, start: int = 0, end: int | None = None) -> tuple[bytes, tuple[int, ...], int]: ...
    def roll(self, record: bytes, tags: Iterable[int] | None = None) -> bytes: ...

def find_a5(data: bytes, start: int = 0) -> int: ...
