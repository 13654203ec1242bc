from __future__ import annotations

from pathlib import Path

import pytest

from packbank.cli import main
from packbank.config.loader import load
from packbank.config.model import MqttConfig, WebConfig
from packbank.config.problems import InvalidConfigError

pytest.importorskip("paho.mqtt.client", reason="a section whose library is missing is refused")
pytest.importorskip("h11", reason="a section whose library is missing is refused")

BUS = "[DEFAULT]\nPORT = /dev/ttyUSB7\n"


def mqtt(folder: Path, *lines: str) -> MqttConfig | None:
    path = folder / "config.ini"
    path.write_text("\n".join([BUS, *lines]), encoding="utf-8")
    return load(path).mqtt


def refused(folder: Path, *lines: str) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        mqtt(folder, "[mqtt]", *lines)
    return str(caught.value)


@pytest.mark.parametrize("name", ["SmartShunt", "com.victronenergy.battery.a b", "com.victronenergy.battery..x"])
@pytest.mark.parametrize("key", ["CURRENT_FROM", "SOC_FROM"])
def test_a_name_that_no_service_can_have_is_refused(tmp_path: Path, key: str, name: str) -> None:
    with pytest.raises(InvalidConfigError, match="name of a battery service"):
        mqtt(tmp_path, f"{key} = {name}")


def test_without_the_section_there_is_no_mqtt(tmp_path: Path) -> None:
    assert mqtt(tmp_path) is None


def test_the_section_alone_is_the_broker_of_a_gx(tmp_path: Path) -> None:
    assert mqtt(tmp_path, "[mqtt]") == MqttConfig(broker="mqtt://127.0.0.1:1883", bank="home", home_assistant=True)


def test_all_keys(tmp_path: Path) -> None:
    assert mqtt(
        tmp_path,
        "[mqtt]",
        "BROKER = mqtts://[fe80::1]:8884",
        "USERNAME = token/user/ab%c",
        "PASSWORD_FILE = /etc/packbank/password",
        "CERTIFICATE = /etc/packbank/gx.pem",
        "BANK = cellar-2",
        "HOME_ASSISTANT = False",
        "CELLS = True",
    ) == MqttConfig(
        broker="mqtts://[fe80::1]:8884",
        username="token/user/ab%c",
        password_file="/etc/packbank/password",
        certificate="/etc/packbank/gx.pem",
        bank="cellar-2",
        home_assistant=False,
        cells=True,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BROKER = 192.168.1.5", "is not a broker's address; write mqtt://HOST:1883"),
        ("BROKER = http://host", "is not a broker's address"),
        ("BANK = Mein Keller", "cannot stand in a topic"),
        ("BANK = 1", "cannot stand in a topic"),
        ("BANK = +", "cannot stand in a topic"),
        ("PASSWORD_FILE = /p", "belongs to a user; write USERNAME too"),
        ("USERNAME = me\nPASSWORD_FILE = secret.txt", "is not a whole path"),
        ("CA = /ca.pem", "has no use without TLS; let BROKER begin with mqtts://"),
        ("BROKER = mqtts://x\nCA = /a\nCERTIFICATE = /b", "remove CA, or this"),
        ("PORT = /dev/ttyUSB1", "has no place here; move it to [DEFAULT] or [bus:NAME]"),
        ("BROKR = x", "did you mean BROKER?"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(tmp_path: Path, line: str, said: str) -> None:
    assert said in refused(tmp_path, line)


@pytest.mark.parametrize(
    "line",
    ["BROKER = mqtt://me:s3cret@host", "PASSWORD = s3cret", "BROKER = s3cret@host", "BROKR = mqtt://me:s3cret@host"],
)
def test_a_password_that_stands_in_the_file_is_not_repeated(tmp_path: Path, line: str) -> None:
    said = refused(tmp_path, line)
    assert "s3cret" not in said
    assert "config.ini" in said


def test_a_section_with_a_name_or_a_wrong_one_is_refused(tmp_path: Path) -> None:
    for title in ("[mqtt:x]", "[mqt]", "[MQTT]"):
        path = tmp_path / "config.ini"
        path.write_text(f"{BUS}{title}\n", encoding="utf-8")
        with pytest.raises(InvalidConfigError, match=r"did you mean \[mqtt\]\?"):
            load(path)


def test_check_prints_what_is_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mqtt(tmp_path, "[mqtt]", "BROKER = mqtt://ha:1883", "BANK = cellar")
    assert main(["check", str(tmp_path / "config.ini")]) == 0
    assert "mqtt: BROKER = mqtt://ha:1883, BANK = cellar" in capsys.readouterr().out


def test_every_problem_of_the_section_is_reported_and_none_that_follows_from_another(tmp_path: Path) -> None:
    text = refused(tmp_path, "BROKER = http://x", "PASSWORD_FILE = p", "CA = a", "CERTIFICATE = b")
    assert all(key in text for key in ("BROKER", "PASSWORD_FILE", "CERTIFICATE"))
    assert "has no use without TLS" not in text


def web(folder: Path, *lines: str) -> WebConfig | None:
    path = folder / "config.ini"
    path.write_text("\n".join([BUS, *lines]), encoding="utf-8")
    return load(path).web


def test_without_the_section_there_is_no_web_page(tmp_path: Path) -> None:
    assert web(tmp_path) is None
    assert web(tmp_path, "[web]") == WebConfig(listen="127.0.0.1:8080")


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "0.0.0.0:65535", "[::1]:8080", "[::]:80", "192.168.1.5:8080"])
def test_where_the_page_can_be(tmp_path: Path, listen: str) -> None:
    assert web(tmp_path, "[web]", f"LISTEN = {listen}", "HOSTS = GX.example, bank-1") == WebConfig(
        listen=listen, hosts=("gx.example", "bank-1")
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("LISTEN = 8080", "write 127.0.0.1:8080"),
        ("LISTEN = localhost:8080", "write 127.0.0.1:8080"),
        ("LISTEN = ::1:8080", "write 127.0.0.1:8080"),
        ("LISTEN = 127.0.0.1:0", "write 1 to 65535"),
        ("LISTEN = 127.0.0.1:65536", "write 1 to 65535"),
        ("LISTEN = 300.0.0.1:80", "write 127.0.0.1:8080"),
        ("LISTEN =", "write 127.0.0.1:8080"),
        ("HOSTS = http://gx", "without http://"),
        ("HOSTS = gx:8080", "without http://"),
        ("PORT = 8080", "move it to"),
        ("LISTN = 127.0.0.1:80", "did you mean LISTEN?"),
    ],
)
def test_a_page_that_cannot_be_is_refused(tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        web(tmp_path, "[web]", line)
    assert expected in str(caught.value)


@pytest.mark.parametrize(("listen", "warned"), [("127.0.0.1:80", False), ("[::1]:80", False), ("0.0.0.0:80", True)])
def test_check_warns_of_a_page_that_others_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listen: str, warned: bool
) -> None:
    web(tmp_path, "[web]", f"LISTEN = {listen}")
    assert main(["check", str(tmp_path / "config.ini")]) == 0
    said = capsys.readouterr().out
    assert f"web: LISTEN = {listen}" in said
    assert ("without a password" in said) is warned
