"""What a user can cause when studies are changed."""

from mnist_sweep.errors import UserError


class StudiesError(UserError):
    """A study that is not there, is at work, or cannot be deleted, renamed or exported as asked."""
