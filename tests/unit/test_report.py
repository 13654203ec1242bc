import json

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.columns import Alarm, empty_matrix
from packbank.report import battery_dict


def test_an_empty_bank_is_json_with_null_for_what_is_not_known() -> None:
    battery = Bank(["P1"], [PackSettings()], BankSettings()).step(empty_matrix(1), 0.0, 0.0)
    told = json.loads(json.dumps(battery_dict(battery), allow_nan=False))
    assert told["voltage"] is None
    assert told["packs"][0]["name"] == "P1"
    assert told["highest_cell"]["pack"] is None
    assert told["charge_current_limit"]["value"] == 0.0
    assert set(told["alarms"]) <= {alarm.venus for alarm in Alarm}
