"""Errors a user can cause: reported as one line on stderr, exit status 2."""


class UserError(Exception):
    """Bad input named by what is wrong and where; never shown with a traceback."""
