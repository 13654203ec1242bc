"""RS485 buses: links, pacing, polling, listening, capture and replay. One thread a bus."""
