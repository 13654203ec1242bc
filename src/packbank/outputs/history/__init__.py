"""What the bank went through: rows of figures, and events; kept in memory first, brought to the flash once an hour."""
