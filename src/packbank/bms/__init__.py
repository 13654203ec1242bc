"""BMS protocols without I/O: field tables, questions, and what an answer must look like."""
