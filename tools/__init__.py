"""What writes the project's own pages and pictures; never needed to use it."""
