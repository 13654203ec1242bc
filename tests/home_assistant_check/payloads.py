"""What a bank of two packs sends to Home Assistant, as one JSON line a device, for ``schemas.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bank_rows import healthy
from packbank.model.identity import Identity
from packbank.outputs.mqtt.discovery import bank_config, pack_config
from packbank.outputs.mqtt.states import bank_state, pack_state
from packbank.outputs.mqtt.topics import Topics, discovery
from virtual_battery import lost_battery, snapshot

TOPICS = Topics("home")
WHO = Identity(model="JK_PB2A16S20P", hardware="15A", software="15.38", serial="4711")
shown = [snapshot(rows=healthy(2)), snapshot(lost_battery())]
devices = {
    TOPICS.device: (bank_config(TOPICS), [bank_state(one) for one in shown]),
    "packbank_home_4711": (
        pack_config(TOPICS, "packbank_home_4711", "4711", WHO, 16, cells_enabled=False),
        [pack_state(one.pack(0), 16) for one in shown],
    ),
}
for device, (config, states) in devices.items():
    print(json.dumps({"topic": discovery(device), "config": config, "states": [json.loads(state) for state in states]}))
