from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.config.inifile import parse
from packbank.config.loader import build
from packbank.config.migrate import migrate
from packbank.config.sections import DEFAULT, default_keys
from packbank.config.serialbattery import IGNORED, RENAMES

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
def test_whatever_the_old_file_says_the_new_one_passes_every_check(old: dict[str, str]) -> None:
    text = "[DEFAULT]\n" + "".join(f"{key} = {value}\n" for key, value in old.items())
    sections, _ = parse(text)
    migration = migrate(sections)
    config, problems = build(parse(migration.text)[0])
    assert problems == []
    assert config is not None
    assert config.notes == ()
    assert {change.old for change in migration.changes} >= set(sections[DEFAULT])
