"""Brokers that close, hang, flood or talk nonsense: a line in the log, and no memory."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from brokers import closes, floods, hangs, lets_in_and_closes, says_nothing, talks_nonsense

pytest_plugins = ["mqtt_bench"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (closes, "it closes the connection without an answer"),
        (says_nothing, "it accepts the connection and does not answer"),
        (lets_in_and_closes, "connection lost"),
    ],
)
def test_what_is_wrong_is_said_once_and_tried_again(
    mqtt_bench: Any, caplog: pytest.LogCaptureFixture, behave: Any, said: str
) -> None:
    broker = mqtt_bench.bad(behave)
    driver = mqtt_bench.output(broker.url)
    driver.connections(broker, 4)
    assert len(warnings(caplog)) == 1
    assert said in warnings(caplog)[0]
    assert broker.url in warnings(caplog)[0]


def test_nonsense_costs_the_connection_and_nothing_else(mqtt_bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    broker = mqtt_bench.bad(talks_nonsense)
    driver = mqtt_bench.output(broker.url)
    driver.connections(broker, 20)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("behave", [hangs, floods])
def test_a_broker_that_hangs_or_floods_costs_no_memory(mqtt_bench: Any, behave: Any) -> None:
    broker = mqtt_bench.bad(behave)
    driver = mqtt_bench.output(broker.url)
    driver.until(lambda: driver.output._link._connected)

    def everything_is_due() -> bool:
        driver.output._due = 0.0
        return False

    if behave is hangs:
        driver.until(lambda: everything_is_due() or driver.output._link.busy)  # until no buffer takes any more
    for _ in range(20):
        driver.show()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(60):
            driver.offset += 0.02  # not so long that the connection counts as dead
            everything_is_due()
            driver.show()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 500_000


def test_a_broker_that_no_longer_answers_pings_is_left(
    mqtt_bench: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packbank.mqtt.link.KEEPALIVE", 1)
    broker = mqtt_bench.bad(hangs)
    driver = mqtt_bench.output(broker.url)
    driver.until(lambda: driver.output._link._connected)
    driver.until(lambda: driver.output._link._client is None)
    assert "connection lost" in warnings(caplog)[0]


def test_a_callback_that_raises_costs_the_connection_and_the_next_one_works(
    mqtt_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    link = driver.output._link
    driver.until(lambda: watcher.last("packbank/home/status") == "online")

    def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    client = link._client
    client.on_message = fails
    watcher.publish("homeassistant/status", "online")
    driver.until(lambda: link._client is not client)
    watcher.clear()
    driver.until(lambda: watcher.last("packbank/home/status") == "online")


def test_connecting_to_nobody_returns(mqtt_bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    broker = mqtt_bench.mosquitto()
    broker.stop()
    driver = mqtt_bench.output(broker.url)
    began = time.monotonic()
    driver.seconds(300)
    assert time.monotonic() - began < 60.0
    assert len(warnings(caplog)) == 1
    assert "nothing listens there" in warnings(caplog)[0]
