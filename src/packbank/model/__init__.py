"""The shared vocabulary: columns and units, identities, the virtual battery, the snapshot and the catalogue."""
