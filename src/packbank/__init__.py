"""packbank: many battery packs, one virtual battery on Venus OS."""
