"""Commands: `python -m experiments.NAME`."""

import sys

try:
    import jax as jax
except ValueError as error:  # its environment variables are read on import
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
