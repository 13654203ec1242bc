"""The output on a real Mosquitto."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from brokers import PASSWD, Mosquitto
from home_assistant import broken_rules, entities
from packbank.model.battery import Cause, Limit, Presence
from packbank.model.columns import Alarm
from packbank.outputs.mqtt.members import GONE_AFTER
from virtual_battery import pack_view, virtual_battery

pytest_plugins = ["mqtt_bench"]

STATE, STATUS = "packbank/home/state", "packbank/home/status"
DEVICES = ("packbank_home", "packbank_home_A", "packbank_home_B")
CONFIGS = tuple(f"homeassistant/device/{device}/config" for device in DEVICES)
PACK_STATES = tuple(f"packbank/home/pack/{serial}/state" for serial in "AB")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def everything(watcher: Any) -> bool:
    return set(watcher.topics()) >= {STATE, STATUS, *CONFIGS, *PACK_STATES}


def test_the_bank_and_its_packs_are_announced_and_shown(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    for topic in CONFIGS:
        assert broken_rules(topic, watcher.last(topic)) == []
    configs = [json.loads(watcher.last(topic)) for topic in CONFIGS]
    assert [config["device"].get("via_device") for config in configs] == [None, "packbank_home", "packbank_home"]
    for config in configs:
        shown = entities(config, watcher.last(config["state_topic"]))
        assert shown["voltage"] == {STATE: 53.12}.get(config["state_topic"], 52.8)
    late = mqtt_bench.watcher(broker)
    driver.until(lambda: {*CONFIGS, STATUS} <= set(late.topics()))
    retained = {topic for topic, _, kept in late.messages if kept}
    assert {*CONFIGS, STATUS, "packbank/home/pack/A/status"} <= retained
    assert STATE not in retained


def test_states_come_before_online_at_each_connection(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    topics = watcher.topics()
    for state in (STATE, *PACK_STATES):
        assert topics.index(state) < topics.index(STATUS)
    for serial in "AB":
        state, status = (topics.index(f"packbank/home/pack/{serial}/{what}") for what in ("state", "status"))
        assert state < status


def test_states_come_every_few_seconds_and_at_once_when_a_limit_falls_or_an_alarm_rises(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    driver.seconds(3)
    watcher.clear()
    driver.seconds(60)
    driver.until(lambda: watcher.topics().count(PACK_STATES[1]) >= 11)
    assert 11 <= watcher.topics().count(STATE) <= 14
    watcher.clear()
    driver.battery = virtual_battery(charge_current_limit=Limit(20.0, 0, Cause.CELL_VOLTAGE, 0.5, "cell 1 3.550 V"))
    driver.show()
    driver.until(lambda: watcher.last(STATE))
    limit = json.loads(watcher.last(STATE) or "")["charge_current_limit"]
    assert (limit["value"], limit["pack"]) == (20.0, "pack 1")
    watcher.clear()
    raised = pack_view("pack 2", alarms={Alarm.CELL_IMBALANCE: 1})
    driver.battery = virtual_battery(packs=(pack_view("pack 1"), raised), alarms={Alarm.CELL_IMBALANCE: 1})
    driver.show()
    driver.until(lambda: watcher.last(PACK_STATES[1]))
    assert json.loads(watcher.last(PACK_STATES[1]) or "")["raised"] == "CellImbalance warning"
    driver.until(lambda: watcher.last(STATE))
    assert json.loads(watcher.last(STATE) or "")["raised"] == "CellImbalance warning"


def test_a_lost_pack_goes_offline_and_shows_its_state_before_it_is_online_again(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    status = "packbank/home/pack/B/status"
    driver.until(lambda: everything(watcher) and watcher.last(status) == "online")
    driver.battery = virtual_battery(packs=(pack_view("pack 1"), pack_view("pack 2", presence=Presence.LOST)))
    driver.until(lambda: watcher.last(status) == "offline")
    driver.until(lambda: json.loads(watcher.last(PACK_STATES[1]) or "{}").get("connected") is False)
    watcher.clear()
    driver.battery = None
    driver.until(lambda: watcher.last(status) == "online")
    assert watcher.topics().index(PACK_STATES[1]) < watcher.topics().index(status)
    assert CONFIGS[2] not in watcher.topics()


def test_a_broker_that_restarts_without_its_memory_gets_everything_again(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    for _ in range(2):
        broker.stop()
        driver.seconds(5)
        broker.start()
        again = mqtt_bench.watcher(broker)
        driver.until(lambda again=again: everything(again))
        assert again.last(STATUS) == "online"


def test_home_assistant_that_starts_gets_everything_again_but_not_without_end(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    driver.offset += 60.0
    driver.show()
    watcher.clear()
    for _ in range(50):
        watcher.publish("homeassistant/status", "online")
    driver.until(lambda: everything(watcher))
    driver.seconds(10)
    driver.until(lambda: watcher.topics().count("homeassistant/status") == 50)
    assert watcher.topics().count(CONFIGS[0]) == 1
    driver.seconds(40)
    driver.until(lambda: watcher.topics().count(CONFIGS[0]) >= 1)
    assert watcher.topics().count(CONFIGS[0]) <= 2


@pytest.mark.parametrize("retain", [False, True])
def test_whatever_arrives_changes_nothing(mqtt_bench: Any, retain: bool) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    before = watcher.last(STATE)
    topics = ("packbank/home/set", "packbank/home/state/set", "packbank/home/charge_current_limit/set", STATE)
    for topic in (*topics, "homeassistant/number/packbank_home/set", "homeassistant/status", CONFIGS[0] + "/x"):
        for payload in ("0", "ON", "online!", '{"charge_current_limit": 0}', "\u20ac" * 1000, ""):
            watcher.publish(topic, payload, retain=retain)
    watcher.clear()
    driver.seconds(12)
    driver.until(lambda: watcher.last(STATE))
    assert watcher.last(STATE) == before
    assert not driver.output._born
    config = json.loads(json.dumps([json.loads(payload) for topic, payload, _ in watcher.messages if topic in CONFIGS]))
    assert not [key for one in config for key in one["components"] if "command_topic" in one["components"][key]]


def test_nothing_that_is_announced_takes_commands(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    assert not [topic for topic in CONFIGS if "command" in (watcher.last(topic) or "")]


def test_packs_that_are_gone_are_taken_back_and_forgotten(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    driver.serials = ("A", "C")  # another pack in its place
    driver.until(lambda: watcher.last(CONFIGS[2]) == "")
    memory = mqtt_bench.folder / "state.mqtt.json"
    driver.until(lambda: "packbank_home_B" not in memory.read_text())
    assert "packbank_home_C" in memory.read_text()
    driver.output.close()
    other = mqtt_bench.output(broker.url, bank="cellar")
    other.until(lambda: watcher.last(CONFIGS[1]) == watcher.last(CONFIGS[0]) == "")
    other.until(lambda: "packbank_home" not in memory.read_text())
    late = mqtt_bench.watcher(broker)
    assert not [topic for topic in late.topics() if "packbank_home" in topic]


def test_what_was_announced_is_taken_back_when_home_assistant_is_switched_off(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    driver.output.close()
    watcher.clear()
    without = mqtt_bench.output(broker.url, home_assistant=False)
    without.until(lambda: all(watcher.last(topic) == "" for topic in CONFIGS))
    without.until(lambda: watcher.last(STATE) and watcher.last(PACK_STATES[0]))
    without.seconds(int(GONE_AFTER))
    assert [watcher.last(topic) for topic in CONFIGS] == ["", "", ""]


def test_a_clean_end_is_published(mqtt_bench: Any) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: watcher.last(STATUS) == "online")
    driver.output.close()
    other = mqtt_bench.output(broker.url, bank="other")  # lets time pass
    other.until(lambda: watcher.last(STATUS) == "offline")


@pytest.fixture
def locked(mqtt_bench: Any) -> Mosquitto:
    """A broker with a user and an ACL: ``me`` may write below packbank, not below homeassistant."""
    folder: Path = mqtt_bench.folder
    subprocess.run([PASSWD, "-c", "-b", folder / "users", "me", "right"], check=True)
    subprocess.run([PASSWD, "-b", folder / "users", "watcher", "w"], check=True)
    (folder / "acl").write_text("user me\ntopic readwrite packbank/#\nuser watcher\ntopic readwrite #\n")
    broker: Mosquitto = mqtt_bench.mosquitto(
        "allow_anonymous false", f"password_file {folder}/users", f"acl_file {folder}/acl"
    )
    return broker


def test_a_wrong_password_is_one_line_an_hour_and_a_right_one_is_taken_without_a_restart(
    mqtt_bench: Any, locked: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    password = mqtt_bench.folder / "password"
    password.write_text("wr0ng\n")
    driver = mqtt_bench.output(locked.url, username="me", password_file=str(password))
    driver.until(lambda: warnings(caplog))
    for _ in range(5):
        driver.offset += 40.0
        driver.until(lambda: driver.output._link._client is None)
    assert len(warnings(caplog)) == 1
    assert "it refuses the user: check USERNAME and the password in PASSWORD_FILE" in warnings(caplog)[0]
    driver.offset += 3600.0
    driver.until(lambda: len(warnings(caplog)) == 2)
    password.write_text("right\n")
    driver.offset += 40.0
    watcher = mqtt_bench.watcher(locked, user="watcher", password="w")
    driver.until(lambda: watcher.last(STATUS) == "online")
    for secret in ("wr0ng", "right"):
        assert secret not in caplog.text


def test_a_topic_that_is_refused_is_named(mqtt_bench: Any, locked: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    (mqtt_bench.folder / "password").write_text("right")
    driver = mqtt_bench.output(locked.url, username="me", password_file=str(mqtt_bench.folder / "password"))
    driver.until(
        lambda: any("refuses the topic homeassistant/device/packbank_home/config" in w for w in warnings(caplog))
    )
    watcher = mqtt_bench.watcher(locked, user="watcher", password="w")
    driver.until(lambda: watcher.last(STATE))
    driver.until(lambda: watcher.last("packbank/home/pack/A/state"))
    driver.seconds(5)
    assert "allow it to this user in the broker's ACL, like all below homeassistant/device" in caplog.text
    assert len(warnings(caplog)) == 1  # not one for each pack
    assert watcher.last(CONFIGS[0]) is None


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, a certificate of it for ``localhost``, and one that vouches for itself, for another name."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=Authority", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "server.pem",
    )  # fmt: skip
    for name in ("own", "other"):
        openssl(*new, "/CN=venus.local", "-x509", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return tmp_path


def tls(mqtt_bench: Any, folder: Path, name: str) -> Mosquitto:
    broker: Mosquitto = mqtt_bench.mosquitto(
        "allow_anonymous true", f"certfile {folder}/{name}.pem", f"keyfile {folder}/{name}.key"
    )
    return broker


@pytest.mark.parametrize(
    ("server", "host", "key", "file"),
    [
        ("server", "localhost", "ca", "ca.pem"),
        ("own", "127.0.0.1", "certificate", "own.pem"),  # a GX: self-signed, for venus.local
        ("server", "127.0.0.1", "certificate", "server.pem"),
    ],
)
def test_tls_with_an_authority_or_with_the_certificate_itself(
    mqtt_bench: Any, certificates: Path, server: str, host: str, key: str, file: str
) -> None:
    broker = tls(mqtt_bench, certificates, server)
    driver = mqtt_bench.output(f"mqtts://{host}:{broker.port}", **{key: str(certificates / file)})
    driver.until(lambda: driver.output._link._connected)
    driver.seconds(3)
    assert driver.output._standing == {"packbank_home_A": True, "packbank_home_B": True}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho leaves a socket without a handshake behind
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("server", "host", "key", "file"),
    [
        ("server", "127.0.0.1", "ca", "ca.pem"),  # not its name
        ("own", "localhost", "ca", "ca.pem"),  # not signed by it
        ("own", "127.0.0.1", "certificate", "other.pem"),
        ("server", "localhost", "certificate", "own.pem"),
        ("server", "localhost", "ca", ""),  # not known to the system
    ],
)
def test_a_wrong_certificate_is_refused_and_said_once(
    mqtt_bench: Any, certificates: Path, caplog: pytest.LogCaptureFixture, server: str, host: str, key: str, file: str
) -> None:
    broker = tls(mqtt_bench, certificates, server)
    path = str(certificates / file) if file else ""
    driver = mqtt_bench.output(f"mqtts://{host}:{broker.port}", **{key: path})
    driver.until(lambda: warnings(caplog))
    driver.seconds(100)
    assert len(warnings(caplog)) == 1
    assert "its certificate is not trusted" in warnings(caplog)[0]
    assert "check CA or CERTIFICATE" in warnings(caplog)[0]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # paho leaves a socket without a handshake behind
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_tls_to_a_port_without_it_is_said(
    mqtt_bench: Any, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = mqtt_bench.mosquitto()
    driver = mqtt_bench.output(f"mqtts://127.0.0.1:{broker.port}", ca=str(certificates / "ca.pem"))
    driver.until(lambda: warnings(caplog))
    assert "port in BROKER" in warnings(caplog)[0] or "no connection" in warnings(caplog)[0]


def test_ten_thousand_updates_while_the_broker_is_away_cost_no_memory(
    mqtt_bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broker = mqtt_bench.mosquitto()
    watcher, driver = mqtt_bench.watcher(broker), mqtt_bench.output(broker.url)
    driver.until(lambda: everything(watcher))
    broker.stop()
    driver.seconds(100)  # what is kept once is kept now
    caplog.clear()
    shown = driver.snapshot()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(10_000):
            driver.offset += 1.0
            driver.output.show(replace(shown, time=driver.now()))
            caplog.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
    broker.start()
    back = mqtt_bench.watcher(broker)
    driver.until(lambda: everything(back))
    assert back.topics().count(STATE) <= 4  # the newest ones, not ten thousand
