"""Blocks: whatever happens to a file, what is sound in it is found, and an append never harms what was there."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.outputs.history.blocks import MAGIC, Block, Shelf, Waiting, append, decoded
from past import full_disk

PAYLOADS = st.lists(st.binary(max_size=40) | st.just(MAGIC * 3), max_size=6)


def blocks_of(payloads: list[bytes]) -> list[Block]:
    return [Block(number, number + 1, payload) for number, payload in enumerate(payloads)]


@given(PAYLOADS)
def test_what_is_written_is_read(payloads: list[bytes]) -> None:
    blocks = blocks_of(payloads)
    assert list(decoded(b"".join(block.encoded() for block in blocks))) == blocks


@given(st.binary(max_size=300))
def test_bytes_that_are_no_blocks_are_passed_over(noise: bytes) -> None:
    block = Block(4, 9, b"sound")
    found = list(decoded(noise + block.encoded() + noise))
    assert block in found or MAGIC in noise


def test_a_file_that_ends_anywhere_has_the_blocks_before() -> None:
    blocks = blocks_of([b"one", b"", b"three and more"])
    whole = b"".join(block.encoded() for block in blocks)
    ends = [sum(len(block.encoded()) for block in blocks[: count + 1]) for count in range(3)]
    for size in range(len(whole) + 1):
        assert list(decoded(whole[:size])) == blocks[: sum(end <= size for end in ends)]


def test_a_byte_that_is_wrong_costs_its_own_block_only() -> None:
    blocks = blocks_of([b"one", MAGIC + b"inside", b"three"])
    parts = [block.encoded() for block in blocks]
    whole = b"".join(parts)
    of = [index for index, part in enumerate(parts) for _ in part]
    random = Random(3)
    for place, hit in enumerate(of):
        damaged = bytearray(whole)
        damaged[place] ^= random.randrange(1, 256)
        assert list(decoded(bytes(damaged))) == [block for index, block in enumerate(blocks) if index != hit]


def test_a_lost_byte_costs_its_own_block_only() -> None:
    blocks = blocks_of([b"one", b"two", b"three"])
    parts = [block.encoded() for block in blocks]
    of = [index for index, part in enumerate(parts) for _ in part]
    whole = b"".join(parts)
    for place, hit in enumerate(of):
        found = list(decoded(whole[:place] + whole[place + 1 :]))
        assert found == [block for index, block in enumerate(blocks) if index != hit]


def test_an_append_after_a_torn_end_is_found(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "days", 100, 3)
    shelf.append(Block(0, 1, b"first"))
    path = tmp_path / "days-000001.blocks"
    path.write_bytes(path.read_bytes() + Block(1, 2, b"cut off by a power cut").encoded()[:-7])
    shelf.append(Block(1, 2, b"second"))
    assert list(shelf.blocks()) == [Block(0, 1, b"first"), Block(1, 2, b"second")]
    assert shelf.through == 2


def test_files_are_begun_and_removed_by_the_counter(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "days", 10, 3)
    (tmp_path / "days-notes.txt").write_text("of the user")
    (tmp_path / "years-000001.blocks").write_bytes(b"")
    for minute in range(100):
        shelf.append(Block(minute, minute + 1, b"x"))
    assert shelf.numbers() == [8, 9, 10]
    assert [block.since for block in shelf.blocks()] == list(range(70, 100))
    assert {path.name for path in tmp_path.iterdir()} >= {"days-notes.txt", "years-000001.blocks"}


def test_a_file_of_which_nothing_is_sound_is_no_end(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "days", 10, 3)
    shelf.append(Block(0, 7, b"x"))
    (tmp_path / "days-000002.blocks").write_bytes(bytes(500))
    assert shelf.through == 7
    shelf.append(Block(7, 8, b"y"))
    assert shelf.through == 8


@pytest.mark.parametrize("room", range(0, 130, 7))
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, room: int) -> None:
    path = tmp_path / "file"
    append(path, b"before")
    block = Block(0, 1, bytes(100)).encoded()
    with full_disk(room):
        if room >= 6 + len(block):
            append(path, block)
        else:
            with pytest.raises(OSError, match="File too large"):
                append(path, block)
            assert path.read_bytes() == b"before"
    append(path, b"after")
    assert path.read_bytes().endswith(b"after")


def test_some_room_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packbank.outputs.history.blocks.LEAST_FREE", 1 << 60)
    with pytest.raises(OSError, match="No space left"):
        append(tmp_path / "file", b"x")
    assert (tmp_path / "file").stat().st_size == 0


def test_what_waits_is_in_memory_and_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run" / "config.rows"
    waiting = Waiting(path, 1000)
    blocks = blocks_of([b"one", b"two", b"three"])
    waiting.add(blocks[0])
    path.unlink()  # as folders of users are when they log out
    path.parent.rmdir()
    for block in blocks[1:]:
        waiting.add(block)
    after = Waiting(path, 1000)
    after.recover()
    assert after.blocks == waiting.blocks == blocks
    after.clear()
    assert not path.exists()
    assert after.blocks == []


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path / "rows", 100)
    for number in range(50):
        waiting.extend([Block(number, number + 1, bytes(30))])
    assert [block.since for block in waiting.blocks] == [47, 48, 49]
