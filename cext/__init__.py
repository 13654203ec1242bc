"""Compiled kernels: checksums, field tables, framing. They import nothing else of packbank."""
