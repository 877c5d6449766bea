"""What a sweep searches: settings, their ranges and conditions, and the configs they compose to."""
