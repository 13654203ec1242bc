import pytest

from packbank.outputs.venus.settings import parse_instance


@pytest.mark.parametrize(
    ("setting", "instance"),
    [
        ("battery:12", 12),
        ("battery:0", 0),
        ("battery:", 7),
        ("solarcharger:12", 7),
        ("battery:-1", 7),
        ("battery:99999999999999999999", 7),  # no 32 bits
        ("battery:\u00b2", 7),  # a digit to Python, no number
        (None, 7),
        (12, 7),
    ],
)
def test_a_device_instance_is_a_number_that_the_d_bus_can_carry(setting: object, instance: int) -> None:
    assert parse_instance(setting, 7) == instance  # type: ignore[arg-type]
