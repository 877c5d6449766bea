"""Figures of studies as files that can be committed, and pages made from them."""
