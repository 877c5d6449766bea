"""Faults on purpose: sweeps are killed, stopped, starved and misled, and nothing may be lost."""
