"""The error of someone's input, apart from the errors of this project."""


class InputError(ValueError):
    """Something that was given is wrong; the message names it and its value.

    Commands print it in one line. Any other exception, a plain `ValueError`
    too, is a defect of the project and keeps its traceback.
    """
