"""What ``show`` and ``top`` print: the bank or one pack as lines of text.

They are made of one JSON line of the daemon (docs/json.md).
Words, units and order are those of the catalogue, so a new quantity appears here by itself.
"""
