"""From Python, in a notebook or another program: docs/python.md."""
