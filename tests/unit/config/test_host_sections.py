"""The sections of hosts: where they are, which packs they send, and what is wrong with them."""

from __future__ import annotations

import pytest

from packbank.config.entry import Entry
from packbank.config.inifile import parse
from packbank.config.loader import build
from packbank.config.model import SPARE, Config
from packbank.config.secrets import HIDDEN, SECRET, shown
from packbank.config.sections import TITLES, allowed_keys
from packbank.config.values import format_host_packs, parse_host_packs
from packbank.model.identity import ANY

LOCAL = "[bus:bus1]\nPORT = /dev/none\nBATTERY_ADDRESSES = 0x01\n"


def problems(text: str) -> list[str]:
    sections, found = parse(text)
    return [str(problem) for problem in (*found, *build(sections)[1])]


def config_of(text: str, **announced: tuple[tuple[str, tuple[int, ...]], ...]) -> Config:
    config, found = build(parse(text)[0], (), announced)
    assert config is not None, found
    return config


@pytest.mark.parametrize(
    ("text", "packs"),
    [
        ("bus1 0x01-0x03", (("bus1", (1, 2, 3)),)),
        ("bus1 0x01, 0x05 - 0x06 north 7", (("bus1", (1, 5, 6)), ("north", (7,)))),
        ("bus1 0x01, bus2 0x01", (("bus1", (1,)), ("bus2", (1,)))),
        ("", ()),
    ],
)
def test_packs_are_read_and_written_the_same(text: str, packs: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
    assert parse_host_packs(text) == packs
    assert parse_host_packs(format_host_packs(packs)) == packs


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("0x01", "write the bus's name first"),
        ("bus1", "write bus1 0x01-0x0F"),
        ("bus1 0x01 bus1 0x02", "put its addresses together"),
        ("bus1 0x01 0x01", "twice"),
        ("Bus1 0x01", "small letters"),
    ],
)
def test_a_wrong_list_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        parse_host_packs(text)


def test_packs_of_hosts_follow_the_local_ones_with_names_and_settings_as_they_have() -> None:
    config = config_of(
        f"[DEFAULT]\nMAX_BATTERY_CHARGE_CURRENT = 90\n{LOCAL}[host:room2]\nPACKS = bus1 0x01-0x03\n"
        "MAX_BATTERY_CHARGE_CURRENT = 80\n[pack:room2/bus1/0x03]\nNAME = cellar\nMAX_BATTERY_CHARGE_CURRENT = 60\n"
    )
    assert [(pack.name, pack.bus, pack.settings.max_battery_charge_current) for pack in config.packs] == [
        ("bus1 1", "bus1", 90.0),
        ("room2/bus1 1", "room2/bus1", 80.0),
        ("room2/bus1 2", "room2/bus1", 80.0),
        ("cellar", "room2/bus1", 60.0),
    ]
    assert all(pack.expected for pack in config.packs)


def test_a_bank_may_have_no_bus_of_its_own() -> None:
    assert [bus.host for bus in config_of("[host:room2]\nPACKS = bus1 0x01\n").buses] == ["room2"]


def test_a_host_without_a_list_has_what_it_announces_and_what_has_a_section() -> None:
    text = f"{LOCAL}[host:room2]\n[pack:room2/bus1/0x05]\nNAME = cellar\n"
    assert expected(config_of(text)) == ["bus1 1", "cellar"]
    config = config_of(text, room2=(("bus1", (1, 2)), ("bus2", (1,))))
    assert expected(config) == ["bus1 1", "room2/bus1 1", "room2/bus1 2", "cellar", "room2/bus2 1"]
    assert not config.hosts[0].listed
    waiting = [pack for pack in config.packs if not pack.expected]
    assert {pack.bus for pack in waiting} == {f"room2/{ANY}"}
    assert len(waiting) == SPARE


def test_a_host_without_a_list_can_be_the_whole_bank() -> None:
    config = config_of("[host:room2]\nMAX_BATTERY_CHARGE_CURRENT = 40\n")
    assert [pack.settings.max_battery_charge_current for pack in config.packs] == [40.0] * SPARE
    assert expected(config) == []


def expected(config: Config) -> list[str]:
    return [pack.name for pack in config.packs if pack.expected]


def test_the_broker_of_mqtt_serves_hosts_and_its_password_goes_to_no_other() -> None:
    mqtt = "[mqtt]\nBROKER = mqtts://here:8883\nUSERNAME = bank\nPASSWORD_FILE = /p\nCERTIFICATE = /c\nBANK = shed\n"
    hosts = config_of(f"{mqtt}[host:a]\nPACKS = bus1 0x01\n[host:b]\nBROKER = mqtt://there\nPACKS = bus1 0x01\n").hosts
    assert (hosts[0].mqtt.broker, hosts[0].mqtt.username, hosts[0].mqtt.bank) == ("mqtts://here:8883", "bank", "shed")
    there = hosts[1].mqtt
    assert (there.broker, there.username, there.password_file, there.bank) == ("mqtt://there", "", "", "shed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[host:Room 2]\nPACKS = bus1 0x01\n", "the host's name cannot stand in a topic"),
        ("[host:a]\nPACKS = 0x01\n", "0x01 has no bus"),
        ("[host:a]\nPACKS = bus1 0x01\nPORT = /dev/x\n", "move it to [DEFAULT] or [bus:NAME]"),
        ("[host:a]\nPACKS = bus1 0x01\nPASSWORD_FILE = /p\n", "write USERNAME too"),
        ("[host:a]\nPACKS = bus1 0x01\n[pack:a/bus1/0x02]\nNAME = x\n", "add it to PACKS of [host:a]"),
        ("[host:a]\nPACKS = bus1 0x01\n[pack:a/bus2/0x02]\nNAME = x\n", "there is no bus 'a/bus2'"),
        ("[host:a]\n[pack:a/*/0x02]\nNAME = x\n", "there is no bus 'a/*'"),
        ("[host:a]\nPACKS = bus1 0x01-0x02-0x03\n", "PACKS = bus1 0x01-0x02-0x03"),
        (
            "[host:a]\nPACKS = bus1 0x01\n[pack:a/bus1/0x01]\nINVERT_CURRENT_MEASUREMENT = True\n",
            "write it in the configuration of a",
        ),
        (f"{LOCAL}[mqtt]\nHOST = Room\n", "small letters"),
    ],
)
def test_what_is_wrong_is_said_once_with_a_remedy(text: str, said: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert said in found[0]


def test_the_value_of_every_key_is_shown_in_messages_unless_it_may_be_a_secret() -> None:
    assert allowed_keys().keys() == TITLES.keys()
    for own in allowed_keys().values():
        for key in own:
            secret = any(part in key for part in SECRET)
            assert shown(Entry("section", key, "value")) == f"{key} = {HIDDEN if secret else 'value'}"
