class Failure(Exception):
    """Ends a command with its message alone, the one line that a person can act on, and exit
    code 1."""
