"""Errors that a person can act on."""


class InputError(ValueError):
    """Something the user gave is wrong; the message names it and its value.

    Commands print it in one line and exit with status 2. Everything else that
    is raised is a defect of the project and keeps its traceback.
    """


class TrainingError(RuntimeError):
    """Training cannot go on, for example because the loss is not finite."""
