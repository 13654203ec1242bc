"""What a benchmark run shows: a line for each figure, with its rival, its floor and its budget.

A figure names where its numbers are in pytest-benchmark's JSON: a test of ``bench_<group>.py`` and a key of its
``extra_info`` or of its statistics. The last word of a key before ``_a_`` is its unit: ``cpu_s_a_minute`` is in s.
"""

from __future__ import annotations

from typing import NamedTuple

from packbank.bms.registry import NAMES


class At(NamedTuple):
    """Where a number is."""

    test: str
    key: str


class Figure(NamedTuple):
    """One line of the table. A budget is a number in s, MB or as counted, or a place: that of the rival, say."""

    group: str
    what: str
    ours: At
    against: str = ""  # the rival's name
    rival: At | None = None
    floor: At | None = None
    budget: float | At | None = None


def checksum(ours: str, rival: str, size: int, *, within: bool) -> Figure:
    at, other = At(f"test_checksum[{ours}-{size}]", "net_ns"), At(f"test_checksum[{rival}-{size}]", "net_ns")
    floor = At(at.test, "wire_ms")
    return Figure("checksum", f"{ours} of {size} bytes", at, rival, other, floor, other if within else None)


def decode(way: str, what: str, budget: float | None = None) -> Figure:
    at = At(f"test_decode[{way}]", "net_ns")
    struct = At("test_decode[struct]", "net_ns")
    return Figure("decode", what, at, "plain struct", struct, At(at.test, "wire_ms"), budget)


def status(family: str, rival: str = "") -> Figure:
    ours = f"test_status[{family}]"
    plain = At(rival, "min") if rival else None  # JK PB's is in the group above
    against = "struct, sums only" if rival else ""
    return Figure("other_bms", f"one status of {family}", At(ours, "min"), against, plain, At(ours, "wire_ms"))


def step(packs: int, budget: float | None = None, *, still: bool = False) -> Figure:
    ours, rival = f"test_{'still_bank' if still else 'packbank_step'}[{packs}]", At(f"test_plain_loop[{packs}]", "min")
    what = f"one step of the aggregator, {packs} packs{', nothing moves' if still else ''}"
    return Figure("merge", what, At(ours, "step_s"), "plain loop, sums only", rival, At(ours, "wire_s"), budget)


def read(what: str, key: str, floor: str | None = None) -> Figure:
    ours, rival = "test_packbank", At("test_a_byte_at_a_time", key)
    return Figure("bus", what, At(ours, key), "a byte at a time", rival, At(ours, floor) if floor else None)


def daemon(buses: int, what: str, key: str, budget: float | None = None, floor: At | None = None) -> Figure:
    packs = f"{buses * 15} packs on {buses} bus{'es' * (buses > 1)}"
    return Figure("daemon", f"{what}, {packs}", At(f"test_the_daemon[{buses}]", key), floor=floor, budget=budget)


def published(what: str, key: str, budget: float | None = None) -> Figure:
    return Figure(
        "publish", what, At("test_publish[ours]", key), "a signal a value", At("test_publish[velib_style]", key),
        budget=budget,
    )  # fmt: skip


ALONE = ("jkbms", "jbd")  # families with one pack a port
CPU, MEMORY = "cpu_s_a_minute", "memory_mb"
ROUND, ROUNDS = "test_round", "test_rounds"
PACKS = 15  # of a bus
FIGURES = (
    *(checksum("crc16_modbus", "fastcrc", size, within=True) for size in (8, 11, 308)),
    *(checksum("sum8", "sum() & 255", size, within=False) for size in (8, 11, 308)),
    decode("kernel", "validate + decode one 308-byte answer into a row", budget=0.30e-6),
    decode("scanner", "the same, found in a stream"),
    decode("exchange", "all that a bus does with it"),
    *(status(family, f"test_plain[{family}]") for family in ("daly", "eg4", "jkbms")),
    status("pace", "test_plain[pace]"),
    *(status(family) for family in NAMES if family not in ("daly", "eg4", "jkbms", "pace")),
    *(
        Figure(
            "family_rounds",
            f"round of one pack of {family}" if family in ALONE else f"round of 4 packs of {family}",
            At(ROUNDS, f"{family}_round_s"),
            floor=At(ROUNDS, f"{family}_floor_s"),
        )
        for family in NAMES
    ),
    Figure("family_rounds", "round of 15 packs of pace", At(ROUNDS, "full_round_s"), floor=At(ROUNDS, "full_floor_s")),
    Figure(
        "family_rounds",
        "the same, above the packs' own times and pauses",
        At(ROUNDS, "full_round_s"),
        floor=At(ROUNDS, "full_least_s"),
    ),
    Figure("family_rounds", "answers lost", At(ROUNDS, "lost"), budget=0.0),
    step(15),
    step(64, budget=0.3e-3),
    step(64, still=True),
    step(1024),
    step(4096, budget=5e-3),
    read("CPU of one answer", "cpu_us"),
    read("wake-ups for one answer", "context_switches"),
    read("from one answer to the next, 15 packs", "share_ms", floor="wire_ms"),
    Figure("bus", "answers lost", At("test_packbank", "lost"), budget=0.0),
    Figure("round", "status round of 15 packs", At(ROUND, "round_s"), floor=At(ROUND, "floor_s"), budget=1.15),
    Figure("round", "the mean round", At(ROUND, "round_mean_s"), floor=At(ROUND, "floor_s"), budget=1.15),
    Figure("round", "answers lost", At(ROUND, "lost"), budget=0.0),
    Figure("round", "answers taken", At(ROUND, "answers")),
    Figure("round", "start to the battery on D-Bus", At(ROUND, "start_s"), budget=6.0),
    Figure("round", "D-Bus messages a second", At(ROUND, "signals_a_second"), budget=1.0),
    Figure("deaf_window", "requests while a pack is deaf, 15 packs", At("test_deaf_window[1-]", "deaf")),
    Figure("deaf_window", "the same, 2 buses", At("test_deaf_window[2-]", "deaf")),
    Figure("deaf_window", "the same with a capture", At("test_deaf_window[2-capture]", "deaf")),
    Figure("deaf_window", "CPU a minute with a capture, 15 packs", At("test_deaf_window[1-capture]", CPU)),
    daemon(1, "CPU a minute", CPU, 0.25, At("test_the_floor", CPU)),
    daemon(2, "CPU a minute", CPU, 0.45),
    daemon(8, "CPU a minute", CPU, 1.2),
    daemon(1, "memory", MEMORY, 45.0),
    daemon(8, "memory", MEMORY),
    *(
        Figure("mqtt", f"{what} of MQTT, {packs} packs", At(f"test_mqtt[{packs // 15}]", key), budget=budget)
        for what, key, packs, budget in (
            ("CPU a minute", CPU, 15, 0.15),
            ("CPU a minute", CPU, 120, None),
            ("memory", MEMORY, 15, 8.0),
            ("memory", MEMORY, 120, None),
        )
    ),
    *(
        Figure("web", f"{what}, {packs} packs", At(f"test_web[{packs // 15}]", f"{kind}_{key}"), budget=budget)
        for packs in (15, 120)
        for what, kind, key, budget in (
            ("CPU a minute of the web page, nobody looks", "idle", CPU, None),
            ("CPU a minute of the web page, one browser", "one", CPU, None),
            ("CPU a minute of the web page, five browsers", "five", CPU, None),
            ("CPU a minute of MQTT, web page, one browser", "all", CPU, 0.3 if packs == PACKS else None),
            ("memory of the web page, one browser", "one", MEMORY, None),
            ("memory of the web page, five browsers", "five", MEMORY, None),
            ("memory of MQTT, web page, one browser", "all", MEMORY, None),
        )
    ),
    *(
        Figure(
            "web",
            f"memory of all with D-Bus, {packs} packs",
            At(f"test_web[{packs // 15}]", "everything_mb"),
            budget=70.0,
        )
        for packs in (15, 120)
    ),
    *(
        Figure(
            "history",
            f"MB written a day, {packs} packs, rows of {minutes} min",
            At(f"test_day[{minutes}-{packs}]", "written_mb"),
            "sqlite" if (packs, minutes) == (15, 5) else "",
            At("test_sqlite[15]", "written_mb") if (packs, minutes) == (15, 5) else None,
            budget=1.0 if packs == 15 else 5.0,
        )
        for packs in (15, 120)
        for minutes in (5, 1)
    ),
    Figure("history", "read a day of one pack", At("test_day[5-15]", "min"), "sqlite", At("test_sqlite[15]", "min")),
    *(
        Figure("history", f"{what}, {packs} packs", At(f"{test}[{place}]", key), budget=budget)
        for packs, buses in ((15, 1), (120, 8))
        for what, test, place, key, budget in (
            ("CPU a minute of the history's own work", "test_cpu", packs, CPU, None),
            ("CPU a minute of the daemon for it", "test_history", buses, CPU, 0.05 if buses == 1 else None),
            ("memory for it", "test_history", buses, MEMORY, None),
        )
    ),
    published("publish a second of 15 packs", "median"),
    published("D-Bus messages for it", "signals_a_second", budget=1.0),
    published("CPU of dbus-daemon for it", "daemon_us_a_second"),
    published("CPU of one listener for it", "listener_us_a_second"),
    Figure("publish", "publish a second of 300 packs", At("test_publish[ours, 300 packs]", "median")),
    Figure(
        "publish",
        "D-Bus messages for it, 300 packs",
        At("test_publish[ours, 300 packs]", "signals_a_second"),
        budget=1.0,
    ),
    *(
        Figure("publish", f"{what}, {packs} packs", At(f"test_the_page[{member}-{packs}]", key))
        for packs in (15, 300)
        for what, member, key in (
            ("GetItems, from call to answer", "GetItems", "median"),
            ("a pack is chosen on its page", "SetValue", "median"),
        )
    ),
    *(
        Figure("sim", f"one simulated second of {packs} packs", At(f"test_bank_step[{packs}]", "min"))
        for packs in (16, 64, 256)
    ),
    *(
        Figure(
            "sim", f"one simulated minute with limits, {packs} packs", At(f"test_closed_loop_minute[{packs}]", "min")
        )
        for packs in (16, 64)
    ),
)
GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES))
