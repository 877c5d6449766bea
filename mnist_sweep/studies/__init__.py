"""The studies of a storage: listed, deleted, renamed, and put into a file to take away."""
