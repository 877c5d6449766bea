"""One run: from its config to objects, and to what it leaves in its directory."""
