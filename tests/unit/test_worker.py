from __future__ import annotations

from threading import Event

from packbank.worker import Worker


def test_the_newest_item_replaces_what_was_not_begun() -> None:
    begun, go, seen = Event(), Event(), list[int]()

    def handle(item: int) -> None:
        begun.set()
        go.wait(10.0)
        seen.append(item)

    worker = Worker("test", handle)
    worker.give(1)
    assert begun.wait(10.0)
    for item in (2, 3, 4):
        worker.give(item)
    go.set()
    assert worker.close(10.0)
    assert seen == [1, 4]


def test_what_was_given_last_is_handled_before_the_end() -> None:
    seen: list[str] = []
    worker = Worker("test", seen.append, lambda: seen.append("last"))
    worker.give("item")
    assert worker.close(10.0)
    assert seen == ["item", "last"]


def test_a_worker_that_hangs_is_left_behind() -> None:
    go = Event()

    def hangs(_: int) -> None:
        go.wait(10.0)

    worker = Worker("test", hangs)
    worker.give(1)
    assert not worker.close(0.05)
    go.set()
    assert worker.close(10.0)
