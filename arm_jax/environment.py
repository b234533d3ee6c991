"""What commands need of the shell that starts them: streams, a platform."""

import os
import sys
from typing import TextIO

from arm_jax.errors import InputError


def prepare() -> None:
    """Makes streams that print anything."""
    # A file opened while a standard descriptor is closed would take its number
    # and with it what libraries write to it.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _printing(sys.stdout)
    sys.stderr = _printing(sys.stderr)


def _printing(stream: TextIO | None) -> TextIO:
    """A stream that stands in for a closed one, and prints any name."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return stream


def check_platform() -> None:
    """Raises InputError, which names the variable, unless JAX has a device."""
    # Not before: what needs no device is said without waiting for JAX.
    try:
        import jax
    except ValueError as error:  # its environment variables are read on import
        raise InputError(str(error)) from error

    if jax.config.values.get("jax_num_cpu_devices") == 0:
        raise InputError("JAX_NUM_CPU_DEVICES must be at least 1, got 0")
    try:
        jax.devices()
    # JAX raises a bare AssertionError for a platform that is known but absent.
    except (RuntimeError, AssertionError) as error:
        given = os.environ.get("JAX_PLATFORMS", "")
        words = str(error).partition(" (")[0].partition("\n")[0][:200]
        reason = f" ({words})" if words else ""
        cure = (
            f"JAX_PLATFORMS={given} names a platform that is not there{reason};"
            " unset it to take what is there, or set it to cpu"
            if given
            else f"JAX finds no device{reason}; JAX_PLATFORMS=cpu takes the CPU"
        )
        raise InputError(cure) from error
