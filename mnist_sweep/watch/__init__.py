"""A study as it goes, seen from anywhere that its storage can be read from."""
