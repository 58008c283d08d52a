"""What a person at the terminal is told instead of a traceback."""


class Trouble(Exception):
    """One message that says what is wrong and what to do; the command ends with a non-zero status."""
