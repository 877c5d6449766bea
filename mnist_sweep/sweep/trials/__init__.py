"""The trials of a study: proposed behind the gate, given out once, leased, and ended."""
