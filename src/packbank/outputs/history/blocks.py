"""Blocks of bytes in numbered files: appended whole or not at all, found again whatever happened to their neighbours.

A block is a head (:data:`_HEAD`, little endian) and its payload. It covers the numbers after ``since`` up to
``through`` of a counter that only grows, which is the order of everything here, whatever the wall clock says.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from packbank.outputs.local_socket import private_folder

MAGIC = b"pkB1"
_HEAD = Struct("<4sIIQQ")  # magic, CRC-32 of all that follows, length of the payload, since, through
_CHECKED = 8  # bytes of the head before what the CRC covers
LEAST_FREE = 8 << 20  # bytes of a disk that are left to others, the state file first
SUFFIX = ".blocks"


class Block(NamedTuple):
    """A payload, and what it covers."""

    since: int
    through: int
    payload: bytes

    def encoded(self) -> bytes:
        """The bytes in a file."""
        whole = bytearray(_HEAD.pack(MAGIC, 0, len(self.payload), self.since, self.through) + self.payload)
        whole[len(MAGIC) : _CHECKED] = crc32(memoryview(whole)[_CHECKED:]).to_bytes(4, "little")
        return bytes(whole)


def decoded(data: bytes) -> Iterator[Block]:
    """The sound blocks of ``data`` in order; whatever lies between them is passed over."""
    at = data.find(MAGIC)
    while 0 <= at <= len(data) - _HEAD.size:
        _, check, length, since, through = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if end <= len(data) and crc32(memoryview(data)[at + _CHECKED : end]) == check:
            yield Block(since, through, data[at + _HEAD.size : end])
            at = data.find(MAGIC, end)
        else:
            at = data.find(MAGIC, at + 1)


class Shelf:
    """The files ``NAME-000001.blocks`` and so on of a folder; only the newest grows, the oldest are removed.

    A file holds blocks for ``span`` numbers of the counter, and ``keep`` files are kept. Nothing is opened between two
    calls, so a folder that was removed or replaced is simply taken as it is.
    """

    def __init__(self, folder: Path, name: str, span: int, keep: int) -> None:
        self._folder = folder
        self._name = name
        self._span = span
        self._keep = keep

    def numbers(self) -> list[int]:
        """The files that are there, oldest first. Raises OSError when the folder cannot be read."""
        named = re.compile(re.escape(self._name) + r"-([0-9]{6,})" + re.escape(SUFFIX))
        try:
            found = [named.fullmatch(path.name) for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for match in found if match)

    def read(self, number: int) -> list[Block]:
        """The blocks of one file; none when it is gone. Raises OSError."""
        try:
            return list(decoded(self._path(number).read_bytes()))
        except FileNotFoundError:
            return []

    def blocks(self) -> Iterator[Block]:
        """Every block, oldest first. Raises OSError."""
        for number in self.numbers():
            yield from self.read(number)

    @property
    def through(self) -> int:
        """The highest number that is covered, 0 when nothing is. Raises OSError."""
        for number in reversed(self.numbers()):
            if found := self.read(number):
                return max(block.through for block in found)
        return 0

    def append(self, block: Block) -> None:
        """Write ``block`` through to the disk. Raises OSError; then the file is as it was, or has a torn end."""
        numbers = self.numbers()
        newest = numbers[-1] if numbers else 0
        begun = self.read(newest) if newest else []
        if not newest or (begun and block.since - begun[0].since >= self._span):
            newest += 1
            numbers.append(newest)
        self._folder.mkdir(parents=True, exist_ok=True)
        append(self._path(newest), block.encoded())
        for old in numbers[: -self._keep]:
            self._path(old).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:06}{SUFFIX}"


def append(path: Path, data: bytes) -> None:
    """Add ``data`` to a file and wait until the disk has it. Raises OSError; what was written of it is taken back."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        disk = os.fstatvfs(descriptor)
        if disk.f_bavail * disk.f_frsize < LEAST_FREE + len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size = os.fstat(descriptor).st_size
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


class Waiting:
    """Blocks that are not yet on the flash: in memory, and as a file in a folder that is memory too.

    From that file others read them, and so does the next process when this one was killed. Without it (the folder
    cannot be written) nothing else changes. The oldest go when there are more than ``largest`` bytes.
    """

    def __init__(self, path: Path, largest: int) -> None:
        self._path = path
        self._largest = largest
        self._size = 0
        self.blocks: list[Block] = []

    def recover(self) -> None:
        """Take in what a process that was killed has left. Raises OSError."""
        self.extend(read_waiting(self._path))

    def extend(self, blocks: Iterable[Block]) -> None:
        """Take in ``blocks``, without the file."""
        for block in blocks:
            self.blocks.append(block)
            self._size += len(block.payload)
        while self._size > self._largest:
            self._size -= len(self.blocks.pop(0).payload)

    def add(self, block: Block) -> None:
        """One more. Raises OSError when the file cannot be written; the block is kept all the same."""
        self.extend([block])
        if not self._path.exists():
            self._write(b"".join(one.encoded() for one in self.blocks))
            return
        try:
            with self._path.open("ab") as file:
                file.write(block.encoded())
        except OSError:
            self._path.unlink(missing_ok=True)  # the next time all of it is written anew
            raise

    def clear(self) -> None:
        """All are on the flash now. Raises OSError when the file cannot be removed."""
        self.blocks.clear()
        self._size = 0
        self._path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        private_folder(self._path.parent)
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_bytes(data)
        new.replace(self._path)


def read_waiting(path: Path) -> list[Block]:
    """What a :class:`Waiting` has in its file; none when there is no file. Raises OSError."""
    try:
        return list(decoded(path.read_bytes()))
    except FileNotFoundError:
        return []
