"""What makes parts of the project's own pages; nothing that a user of it needs."""
