"""What a scenario's runs came to, in words, and what they break of what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from packbank.sim.scenario import Ask
from packbank.sim.trial import Result

FULLY = 0.8  # of the use that is asked in a scenario which counts for the mean
MEAN_USE = 0.93
MEDIAN_RECOVERY = 30.0  # s
NEARLY = 0.95  # of the oracle's use, where it has less than what is asked


@dataclass(frozen=True, slots=True)
class Summary:
    """The runs of one scenario and policy over several seeds: the worst of them, and the mean use."""

    runs: Sequence[Result]

    @property
    def first(self) -> Result:
        """One of them, for what they have in common."""
        return self.runs[0]

    @property
    def trips(self) -> int:
        """Of all runs together."""
        return sum(run.trips for run in self.runs)

    @property
    def use(self) -> float | None:
        """Mean use of the best possible current."""
        known = [run.use for run in self.runs if run.use is not None]
        return sum(known) / len(known) if known else None

    @property
    def least_use(self) -> float | None:
        """The lowest use."""
        return min((run.use for run in self.runs if run.use is not None), default=None)

    @property
    def recovery(self) -> float | None:
        """The longest recovery, s."""
        return max((run.recovery for run in self.runs if run.recovery is not None), default=None)

    def worst(self, of: Callable[[Result], float]) -> float:
        """The highest of a figure."""
        return max(of(run) for run in self.runs)

    def words(self) -> str:
        """One line: "no BMS trips; worst pack 4 % over for 2 s; 96 % of the best possible"."""
        excess, seconds = self.worst(lambda run: run.worst), self.worst(lambda run: run.over)
        parts = [
            "no BMS trips" if not self.trips else f"{self.trips} BMS trip{'s' if self.trips > 1 else ''}",
            f"worst pack {excess:.0%} over for {seconds:.0f} s".replace("%", " %")
            if seconds >= 1
            else "no pack over its limit",
        ]
        if self.use is not None:
            parts.append(f"{self.use:.0%} of the best possible".replace("%", " %"))
        if self.recovery:
            parts.append(f"there after {self.recovery:.0f} s")
        if len(self.runs) > 1:
            parts.append(f"{len(self.runs)} seeds")
        return "; ".join(parts)


def in_all(summaries: Sequence[tuple[Ask, Summary]]) -> str:
    """One line over the scenarios in which use and recovery are asked for as usual."""
    usual = [summary for ask, summary in summaries if ask.use >= FULLY and summary.use is not None]
    uses = [summary.use for summary in usual if summary.use is not None]
    times = [run.recovery for summary in usual for run in summary.runs if run.recovery is not None]
    trips = sum(summary.trips for _, summary in summaries)
    if not uses or not times:
        return f"in all: {trips} BMS trips"
    return (
        f"in all: {trips} BMS trips; use {mean(uses):.0%} in the mean ({MEAN_USE:.0%} asked); recovery "
        f"{median(times):.0f} s in the median ({MEDIAN_RECOVERY:.0f} s asked); {len(uses)} scenarios count"
    )


@dataclass(frozen=True, slots=True)
class _Bound:
    """One figure that is bounded: how to read it of a run and of what is asked, and how to say it."""

    what: str
    of: Callable[[Result], float | None]
    most: Callable[[Ask], float]
    format: str = "{:.0f} s"


_BOUNDS = (
    _Bound("over 20 % for", lambda run: run.over_20, lambda ask: ask.over_20),
    _Bound("turns a minute", lambda run: run.turns, lambda ask: ask.turns, "{:.1f}"),
    _Bound("recovery after", lambda run: run.recovery, lambda ask: ask.recovery),
    _Bound("a limit rose while packs were held, by", lambda run: run.rise_while_held, lambda a: a.rise_while_held,
           "{:.0%}"),
    _Bound("drawn from the packs", lambda run: run.drawn, lambda ask: ask.drawn, "{:.1f} Ah"),
    _Bound("current of the last minute", lambda run: run.last_minute, lambda ask: ask.last_minute, "{:.1%}"),
)  # fmt: skip


def broken(ask: Ask, run: Result, oracle: Result | None) -> list[str]:
    """What a run breaks of what is asked, in words. What the oracle of the same seed breaks too, cannot be asked."""
    faults = []
    allowed = max(ask.trips, oracle.trips if oracle else 0)
    if run.trips > allowed:
        faults.append(f"{run.trips} BMS trips, {allowed} allowed")
    asked = ask.use if oracle is None or oracle.use is None else min(ask.use, NEARLY * oracle.use)
    if run.use is not None and run.use < asked:
        faults.append(f"{run.use:.0%} of the best possible current, {asked:.0%} asked")
    if ask.stage and run.stage != ask.stage:
        faults.append(f"charge ended in {run.stage or 'no stage'}, {ask.stage} asked")
    for bound in _BOUNDS:
        value, most = bound.of(run), bound.most(ask)
        if oracle is not None:
            most = max(most, bound.of(oracle) or 0.0)
        if value is not None and value > most:
            say = bound.format.format
            faults.append(f"{bound.what} {say(value)}, {say(most)} allowed")
    return faults
