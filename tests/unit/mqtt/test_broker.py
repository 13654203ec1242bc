from __future__ import annotations

import logging
import socket
import ssl
from pathlib import Path

import pytest

from packbank.config.model import MqttConfig
from packbank.errors import LinkError
from packbank.mqtt import broker
from packbank.trouble import AGAIN_AFTER, TEXTS_KEPT, Trouble


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mqtt://127.0.0.1", ("127.0.0.1", 1883)),
        ("mqtts://venus.local", ("venus.local", 8883)),
        ("mqtts://[::1]:8884/", ("::1", 8884)),
    ],
)
def test_a_broker_without_a_port_has_the_usual_one(url: str, place: tuple[str, int]) -> None:
    assert broker.address(MqttConfig(broker=url)) == place


def test_the_password_is_the_first_line_of_its_file_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\nnot this\n")
    config = MqttConfig(username="me", password_file=str(file))
    assert broker.password(config) == "s3cret"
    assert "s3cret" not in repr(config)
    file.write_bytes(b"\xff\xfes3cret")
    with pytest.raises(LinkError, match="PASSWORD_FILE") as caught:
        broker.password(config)
    assert "s3cret" not in str(caught.value)
    file.unlink()
    with pytest.raises(LinkError, match=r"cannot be read \(No such file"):
        broker.password(config)
    assert broker.password(MqttConfig()) is None


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    for key in ("ca", "certificate"):
        with pytest.raises(LinkError, match=f"{key.upper()} {file} cannot be used"):
            broker.tls(MqttConfig(broker="mqtts://x", **{key: str(file)}))  # type: ignore[arg-type]
    assert broker.tls(MqttConfig(broker="mqtt://x")) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "name is not known"),
        (TimeoutError(), "does not answer"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens"),
        (ssl.SSLError(1, "wrong version number"), "no TLS"),
        (OSError(113, "No route to host"), "No route to host"),
        (ValueError("label too long"), "label too long"),
    ],
)
def test_every_failure_says_what_to_check(error: Exception, said: str) -> None:
    assert said in broker.why_unreachable(error)


def test_a_trouble_is_logged_once_then_hourly(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("mqtt mqtt://gone")
    for second in range(int(2.5 * AGAIN_AFTER)):
        trouble.say(float(second), "nothing listens there")
    assert [record.getMessage() for record in caplog.records] == ["mqtt mqtt://gone: nothing listens there"] * 3
    trouble.over()
    trouble.say(2.5 * AGAIN_AFTER, "nothing listens there")
    assert len(caplog.records) == 4


def test_a_broker_with_ever_new_troubles_costs_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    trouble = Trouble("x")
    for number in range(1000):
        trouble.say(0.0, f"trouble {number}")
    assert len(trouble._logged) <= TEXTS_KEPT
