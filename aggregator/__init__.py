"""The bank as arithmetic: a matrix of packs in, one virtual battery out. No I/O, no clock, no D-Bus."""
