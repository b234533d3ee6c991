"""Commands: `python -m experiments.NAME`."""

import sys

# JAX reads its environment variables on import. The command that trains looks
# at its workdir before it waits for JAX, see `cli.run`.
if "experiments.train" not in sys.orig_argv:
    try:
        import jax as jax
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
