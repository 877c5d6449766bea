"""What a user can cause, and what the command line says about it."""


class UserError(Exception):
    """An error a user can cause: one line that echoes the value and says what to do.

    `mnist_sweep.train.main` prints it without a traceback and exits with code 1.
    """
