"""Packs of other hosts, over an MQTT broker: one host publishes what it reads, another takes it in as a source."""
