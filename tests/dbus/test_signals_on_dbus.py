from __future__ import annotations

from typing import Any

from on_dbus import NAME, Log, publisher
from packbank.model.battery import Limit
from virtual_battery import snapshot, virtual_battery


def test_one_signal_a_second_at_most_and_none_when_nothing_changed(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    for second in range(20):
        published.show(snapshot(voltage=53 + second % 2 / 1000, time=float(second)))  # noise below the rounding
    assert log.take() == [("owner", True)]
    for second in range(20, 40):
        published.show(snapshot(voltage=53 + second / 100, current=float(second), time=float(second)))
    events = log.take()
    assert [kind for kind, _ in events] == ["items"] * 20
    assert set(events[7][1]) <= {"/Dc/0/Voltage", "/Dc/0/Current"}


def test_rates(bench: Any) -> None:
    log = Log(bench)
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    log.take()
    rise, fall = virtual_battery(temperature=25.0), virtual_battery(temperature=26.0)
    published.show(snapshot(rise, 1.0))
    assert log.take() == []  # slow: not before five seconds
    published.show(snapshot(fall, 5.0))
    assert log.take() == [("items", {"/Dc/0/Temperature": 26.0})]
    limits = [(6.0, 130.0), (7.0, 100.0), (8.0, 110.0), (10.0, 120.0)]
    sent = []
    for now, ccl in limits:
        published.show(snapshot(temperature=26.0, charge_current_limit=Limit(ccl), time=now))
        sent += [items.get("/Info/MaxChargeCurrent") for kind, items in log.take() if kind == "items"]
    assert [value for value in sent if value is not None] == [100.0, 120.0]  # a fall at once, a rise with the slow ones


def test_limits_never_become_unknown(bench: Any) -> None:
    published = publisher(bench)
    published.show(snapshot(time=0.0))
    nan = Limit(float("nan"))
    unknown = virtual_battery(charge_voltage_limit=nan, charge_current_limit=nan, discharge_current_limit=nan)
    published.show(snapshot(unknown, 10.0))
    items = bench.ask(bench.connect(), NAME, "/Info", "GetValue")
    assert items["MaxChargeVoltage"] == 55.2
    assert items["MaxChargeCurrent"] == items["MaxDischargeCurrent"] == 0.0
