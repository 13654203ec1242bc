from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from packbank.errors import LinkError
from packbank.model.snapshot import Snapshot
from packbank.outputs.runner import LONGEST_PAUSE, SOUND_AFTER, PeerGoneError, Runner
from virtual_battery import snapshot


class Fake:
    """An output that keeps the times of what it was shown, and does what a test wants of it."""

    def __init__(self, name: str = "fake", does: Callable[[Snapshot], None] = lambda _: None) -> None:
        self.name = name
        self.does = does
        self.times: list[float] = []
        self.closed = False

    def show(self, shown: Snapshot) -> None:
        self.times.append(shown.time)
        self.does(shown)

    def close(self) -> None:
        self.closed = True


def fails(_: Snapshot) -> None:
    raise RuntimeError("a fault")


def test_an_output_that_raises_is_named_once_and_tried_again_after_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner, bad, good = Runner(), Fake("bad", fails), Fake("good")
    for output in (bad, good):
        runner.add(output)
    for second in range(2000):
        runner.show(snapshot(time=float(second)))
    assert len(good.times) == 2000
    pauses = [later - sooner for sooner, later in zip(bad.times, bad.times[1:], strict=False)]
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == LONGEST_PAUSE
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["output bad failed"]


@pytest.mark.parametrize(("error", "traced"), [(LinkError("no room"), False), (RuntimeError("no room"), True)])
def test_an_error_on_purpose_is_logged_without_a_traceback(
    error: Exception, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Snapshot) -> None:
        raise error

    runner = Runner()
    runner.add(Fake("bad", fail))
    runner.show(snapshot(time=0.0))
    assert "output bad failed" in caplog.text
    assert "no room" in caplog.text
    assert ("Traceback" in caplog.text) == traced


def test_an_output_that_works_again_for_a_while_is_sound(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    runner, output = Runner(), Fake("bad", fails)
    runner.add(output)
    runner.show(snapshot(time=0.0))
    output.does = lambda _: None
    for second in range(1, int(SOUND_AFTER) + 3):
        runner.show(snapshot(time=float(second)))
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "output bad failed",
        "output bad works again",
    ]


def test_an_output_whose_reader_is_gone_is_not_tried_again() -> None:
    def gone(_: Snapshot) -> None:
        raise PeerGoneError("nobody reads")

    runner, output = Runner(), Fake("json", gone)
    runner.add(output)
    for second in range(100):
        runner.show(snapshot(time=float(second)))
    assert output.times == [0.0]
    assert not runner.useful
    runner.add_vital(Fake("D-Bus"))
    assert runner.useful


def test_the_vital_output_alone_may_end_the_process_and_the_others_have_their_turn_first() -> None:
    def gone(_: Snapshot) -> None:
        raise LinkError("the D-Bus is gone")

    runner, other = Runner(), Fake()
    runner.add_vital(Fake("D-Bus", gone))
    runner.add(other)
    with pytest.raises(LinkError):
        runner.show(snapshot(time=1.0))
    assert other.times == [1.0]


def test_an_output_that_blocks_holds_up_nobody_and_gets_the_newest_afterwards() -> None:
    blocked, go, done = Event(), Event(), Event()

    def slow(shown: Snapshot) -> None:
        blocked.set()
        go.wait(10.0)
        if shown.time == 99.0:
            done.set()

    runner, output, vital = Runner(), Fake("slow", slow), Fake("D-Bus")
    runner.add_vital(vital)
    runner.add(output, may_block=True)
    runner.show(snapshot(time=0.0))
    assert blocked.wait(10.0)
    for second in range(1, 100):
        runner.show(snapshot(time=float(second)))
    go.set()
    assert done.wait(10.0)
    assert vital.times == [float(second) for second in range(100)]
    assert output.times == [0.0, 99.0]
    runner.close()
    assert output.closed
    assert vital.closed


def test_an_output_that_hangs_at_the_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("packbank.outputs.runner.CLOSE_TIMEOUT", 0.05)
    go = Event()

    def hangs(_: Snapshot) -> None:
        go.wait(10.0)

    runner = Runner()
    runner.add(Fake("stuck", hangs), may_block=True)
    runner.show(snapshot())
    runner.close()
    assert "output stuck did not end" in caplog.text
    go.set()


def test_an_output_that_cannot_be_closed_does_not_keep_the_others_open(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Fake):
        def close(self) -> None:
            raise RuntimeError("a fault")

    runner, other = Runner(), Fake()
    runner.add_vital(Broken("D-Bus"))
    runner.add(Broken("bad"))
    runner.add(other)
    runner.close()
    assert other.closed
    assert "output bad could not be closed" in caplog.text
