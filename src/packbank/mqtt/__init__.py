"""One connection to an MQTT broker, for the output that shows the bank there and for packs of other hosts."""
