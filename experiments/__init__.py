"""Commands: `python -m experiments.NAME`, or `arm-jax NAME` once installed."""

import sys
from types import TracebackType


def _explain(
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """Says in one line that somebody interrupted what was still loading."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: interrupted; the same command resumes", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _explain

# JAX reads its environment variables on import. The command that trains looks
# at its workdir before it waits for JAX, see `cli.run`.
if not any(name.endswith("experiments.train") for name in sys.orig_argv):
    try:
        import jax as jax
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
