"""Commands: `python -m experiments.NAME`, or `arm-jax NAME` once installed."""

import sys

# JAX reads its environment variables on import. The command that trains looks
# at its workdir before it waits for JAX, see `cli.run`.
if not any(name.endswith("experiments.train") for name in sys.orig_argv):
    try:
        import jax as jax
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
