"""The one exception for what a user can put right."""


class InputError(ValueError):
    """A bad argument, file or folder.

    The message is one sentence that names the argument or the file, what was found and what to
    do. The command line prints it and exits with code 2.
    """
