"""The report's pages while a sweep runs: served on this machine, and renewed as studies change."""
