"""From a question to an answer: plan, search, confirm, report and export within some hours."""
