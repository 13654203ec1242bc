"""The bank and its packs on an MQTT broker, announced to Home Assistant."""
