"""What a scenario's runs came to, in words, and what they break of what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf
from statistics import mean, median

from packbank.sim.scenario import Ask
from packbank.sim.trial import Result

FULLY = 0.8  # of the use that is asked in a scenario which counts for the mean
MEAN_USE = 0.93
MEDIAN_RECOVERY = 30.0  # s
NAMED_OF_TEN = 9  # runs of ten in which a wrong sensor must be named in time
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
        parts += [text for say in _WORDS if (text := say(self.runs))]
        if len(self.runs) > 1:
            parts.append(f"{len(self.runs)} seeds")
        return "; ".join(parts)


def _of_sensors(runs: Sequence[Result]) -> str:
    """What became of wrong sensors."""
    asked = [run for run in runs if run.stepped]
    times = [run.named for run in asked if run.named is not None]
    if not asked:
        return ""
    if len(asked) == 1:
        return f"wrong sensor named after {times[0]:.0f} s" if times else "wrong sensor not named"
    return f"wrong sensor named in {len(times)} of {len(asked)} runs" + (
        f", {max(times):.0f} s at most" if times else ""
    )


def _of_once_named(runs: Sequence[Result]) -> str:
    uses = [run.use_once_named for run in runs if run.use_once_named is not None]
    return f"then {mean(uses):.0%} of the best possible".replace("%", " %") if uses else ""


def _of_false_alarms(runs: Sequence[Result]) -> str:
    false = sum(run.false_alarms for run in runs)
    return f"{false} false alarm{'s' if false > 1 else ''}" if false else ""


def _of_zero(runs: Sequence[Result]) -> str:
    """What flowed while nothing should."""
    charges = [run.charge_at_zero for run in runs if run.charge_at_zero is not None]
    if not charges:
        return ""
    if max(charges) < _NOTHING:
        return "nothing flows at CCL 0"
    return f"charge of {max(charges):.1%} of the capacity at CCL 0".replace("%", " %")


def _of_export(runs: Sequence[Result]) -> str:
    most = max(run.exported_below for run in runs)
    return f"{most:.1f} Ah exported below the voltage at the start" if most >= _A_LITTLE else ""


def _of_cvl(runs: Sequence[Result]) -> str:
    turns = max(run.cvl_turns for run in runs)
    return f"CVL turns {turns:.1f} times a minute" if turns >= _A_LITTLE else ""


def _of_stages(runs: Sequence[Result]) -> str:
    """Charge stages, where one has come to an end."""
    if all(set(run.stages) <= {"", "bulk"} for run in runs):
        return ""
    text = f"absorption of {max(run.absorption for run in runs) / 3600:.1f} h at most"
    balances = [run.top_balances for run in runs]
    if max(balances):
        few = "1 top balance" if max(balances) == 1 else f"{min(balances)} top balances"
        text += f", {few}, {max(run.top_balance for run in runs) / 3600:.1f} h at most"
    return f"{text}, ends in {' or '.join(dict.fromkeys(run.stage for run in runs))}"


_A_LITTLE = 0.05
_NOTHING = 0.0005  # of the capacity an hour
_WORDS: tuple[Callable[[Sequence[Result]], str], ...] = (
    _of_sensors,
    _of_once_named,
    _of_false_alarms,
    _of_zero,
    _of_export,
    _of_cvl,
    _of_stages,
)


def naming(runs: Sequence[Result], within: float) -> str:
    """What breaks what is asked of the naming of wrong sensors over all runs, in words; ``""`` where nothing does.

    With ``within`` infinite nothing is asked: nobody can know which sensor is wrong.
    """
    if isinf(within):
        return ""
    asked = [run for run in runs if run.stepped]
    in_time = [run for run in asked if run.named is not None and run.named <= within]
    if 10 * len(in_time) >= NAMED_OF_TEN * len(asked):
        return ""
    return (
        f"a wrong sensor was named within {within:.0f} s of the first step in {len(in_time)} of {len(asked)} runs, "
        f"{NAMED_OF_TEN} of ten asked"
    )


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
    _Bound("CVL rose while packs were held, by", lambda run: run.cvl_rise_while_held, lambda a: a.cvl_rise_while_held,
           "{:.2f} V"),
    _Bound("turns of CVL a minute", lambda run: run.cvl_turns, lambda ask: ask.cvl_turns, "{:.1f}"),
    _Bound("charge at CCL 0", lambda run: run.charge_at_zero, lambda ask: ask.charge_at_zero, "{:.1%}"),
    _Bound("exported below the voltage at the start", lambda run: run.exported_below, lambda ask: ask.exported_below,
           "{:.1f} Ah"),
    _Bound("drawn from the packs", lambda run: run.drawn, lambda ask: ask.drawn, "{:.1f} Ah"),
    _Bound("false alarms:", lambda run: run.false_alarms, lambda ask: ask.false_alarms, "{:.0f}"),
    _Bound("longest absorption", lambda run: run.absorption, lambda ask: ask.absorption),
    _Bound("absorption that names no pack for", lambda run: run.unnamed, lambda ask: ask.unnamed),
    _Bound("top balances:", lambda run: run.top_balances, lambda ask: ask.top_balances[1], "{:.0f}"),
    _Bound("CVL fell at once by", lambda run: run.cvl_fall, lambda ask: ask.cvl_fall, "{:.2f} V"),
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
    if run.top_balances < ask.top_balances[0]:
        faults.append(f"{run.top_balances} top balances, {ask.top_balances[0]} asked")
    if run.use_once_named is not None and run.use_once_named < ask.use_once_named:
        faults.append(f"{run.use_once_named:.0%} of the best possible once named, {ask.use_once_named:.0%} asked")
    if run.shortest_absorption is not None and run.shortest_absorption < ask.shortest_absorption:
        faults.append(f"absorption ended after {run.shortest_absorption:.0f} s, {ask.shortest_absorption:.0f} s asked")
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
