"""The one error that is meant for people."""


class FewscanError(Exception):
    """What was asked cannot be done, for a reason that the user can mend.

    The message is one clear line that says what is wrong and what to do next. The command line prints it and exits with 2.
    """
