from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.config.inifile import parse
from packbank.config.loader import build
from packbank.config.migrate import migrate
from packbank.config.sections import DEFAULT, default_keys
from packbank.config.serialbattery import IGNORED, RENAMES, Kind

LIMITS = {"MAX_BATTERY_CHARGE_CURRENT", "MAX_BATTERY_DISCHARGE_CURRENT"}
OLD = sorted(
    {old for rename in RENAMES for old in rename.old} | {key for keys in IGNORED.values() for key in keys.split()}
)
FAMILIAR = sorted(set(default_keys()) - {"PORT", "MODE", "PROTOCOL"})
KEYS = [*OLD, *FAMILIAR, "SPELT_WRONGLY"]
VALUES = [
    "",
    "0",
    "1",
    "2",
    "0.013",
    "3.2",
    "3.45",
    "3,5",
    "50",
    "80",
    "True",
    "false",
    "0x01, 0x02",
    "3.5, 3.4, 3.3",
    "1.00, 0.5, 0",
    "Daly",
]


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(KEYS), st.one_of(st.sampled_from(VALUES), st.integers(0, 100).map(str)), max_size=12
    )
)
def test_the_new_file_passes_every_check_and_raises_no_limit_or_there_is_none(old: dict[str, str]) -> None:
    text = "[DEFAULT]\n" + "".join(f"{key} = {value}\n" for key, value in old.items())
    sections, _ = parse(text)
    migration = migrate(sections)
    if migration.problems:
        assert {problem.entry.section for problem in migration.problems} == {DEFAULT}
        return
    config, problems = build(parse(migration.text)[0])
    assert problems == []
    assert config is not None
    assert config.notes == ()
    assert {change.old for change in migration.changes} >= set(sections[DEFAULT])
    left_out = [change for change in migration.changes if change.kind is Kind.DROPPED]
    assert not any(change.entry.key in LIMITS for change in left_out)
    for key in LIMITS & old.keys():
        limit = getattr(config.packs[0].settings, key.lower())
        assert limit is not None
        assert limit == float(old[key].replace(",", "."))
