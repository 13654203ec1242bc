"""packbank: many battery packs, one virtual battery on Venus OS."""

__version__ = "0.1.0"
