"""Every row of the trial by its name."""

from __future__ import annotations

from packbank.sim.scenarios_faults import FAULTS
from packbank.sim.scenarios_feed_in import FEED_IN
from packbank.sim.scenarios_limits import LIMITS
from packbank.sim.scenarios_long import LONG
from packbank.sim.scenarios_sensors import SENSORS

SCENARIOS = {row.name: row for row in (*LIMITS, *FAULTS, *FEED_IN, *SENSORS, *LONG)}
