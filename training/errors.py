"""The one error that training raises on purpose."""


class TrainingError(Exception):
    """What was asked for cannot be done; the message says what, where and what to do (exit code 2)."""
