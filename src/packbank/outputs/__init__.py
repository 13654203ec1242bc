"""Where the battery is shown: D-Bus, JSON lines, the terminal. An output reads snapshots and nothing else."""
