"""Whether what a search found is true: its best trained again with fresh seeds, with intervals."""
