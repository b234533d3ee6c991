"""How a computation ended, as a code that lives inside jit."""

import enum


class Status(enum.IntEnum):
    """Result code of one solved problem; an int32 array in batched results.

    The order is part of the interface: 0 is success, and of two codes the
    larger one is the worse, so `jnp.maximum` combines codes of sub-problems.
    """

    CONVERGED = 0
    STEP_LIMIT = 1
    NOT_FINITE = 2
    INVALID_INPUT = 3

    @property
    def message(self) -> str:
        """What happened and what to try, for people."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "converged: the certified gap is below the tolerance",
    Status.STEP_LIMIT: (
        "step limit reached: the value is certified only to `gap`; raise "
        "`max_steps` or `tol`"
    ),
    Status.NOT_FINITE: (
        "not finite: the iteration produced NaN or infinity; use float64 or "
        "merge symbols of vanishing probability"
    ),
    Status.INVALID_INPUT: (
        "invalid input: negative or non-finite entries, or marginals that "
        "contradict each other, met inside a traced call where no error can "
        "be raised"
    ),
}
