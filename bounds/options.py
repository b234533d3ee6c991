"""Options that all entry points share: on what, how far, within what.

What is asked (`normalize`, `project`, `solver`, `effort`) are arguments of the
functions that have it. How it is computed is one object, checked here, whose
defaults are written here and nowhere else.
"""

import dataclasses
import math
import reprlib
from collections.abc import Sequence
from typing import Any, TypedDict

import jax
import numpy as np

from bounds import _entry, _scalars
from bounds.errors import InputError


class Fields(TypedDict, total=False):
    """The fields of `Options`, as keywords of an entry point."""

    tol: float | None
    dtype: Any
    devices: Sequence[jax.Device] | None
    memory_limit: float
    progress: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a batch is computed; one object for any number of calls.

    Every entry point takes `options=`, and each field as a keyword too, for
    that call alone and before what `options` says. So what is asked once stays
    one short line, and a program that asks often says once how:

      bounds.pid(p, tol=1e-6)

      options = bounds.Options(memory_limit=2**33, progress=True)
      bounds.pid(p, options=options)
      bounds.synergy_interval(p12, p1y, p2y, options=options, tol=1e-3)

    Either way the values go through this class: one check, one default.

    Attributes:
      tol: gap in bits at which a table is done; None takes the default of the
        entry point. Closed forms have none; branch and bound takes 0, too, for
        all that its budget allows.
      dtype: float64 or float32, of the computation. Bounds that are rounded
        outward, of synergy, entropy and accuracy, are float64 alone.
      devices: JAX devices to share the batch; None takes all local
        accelerators, or else the CPU.
      memory_limit: bytes that the chunks under way may take together; one
        table at a time if it is less than that needs.
      progress: whether to show a progress bar of each batch that is solved.

    Raises:
      InputError: a field out of range, or of another type.
    """

    tol: float | None = None
    dtype: Any = np.float64
    devices: Sequence[jax.Device] | None = None
    memory_limit: float = 2**30
    progress: bool = False

    def __post_init__(self) -> None:
        checked = {
            "progress": _scalars.boolean("progress", self.progress),
            "tol": None if self.tol is None else _check_tolerance(self.tol),
            "dtype": _entry.check_float_dtype(self.dtype),
            "devices": _check_devices(self.devices),
            "memory_limit": _entry.check_positive(
                "memory_limit", self.memory_limit
            ),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def tolerance(self, default: float) -> float:
        """Returns `tol`, or an entry point's own."""
        return default if self.tol is None else self.tol


NAMES = frozenset(field.name for field in dataclasses.fields(Options))


def merged(
    options: Options | None, fields: Fields, default: Options | None = None
) -> Options:
    """Returns the options of a call.

    Args:
      options: what the caller passed as `options`.
      fields: what the caller passed by keyword.
      default: what holds where the caller passed no `options`.

    Raises:
      InputError: no `Options`, or a field out of range.
      TypeError: a keyword that is no field.
    """
    if options is None:
        options = default or Options()
    elif not isinstance(options, Options):
        raise InputError(
            f"options must be bounds.Options, got {reprlib.repr(options)}"
        )
    return dataclasses.replace(options, **fields) if fields else options


def in_float64(options: Options) -> Options:
    """Returns the options of what is proven by outward rounding.

    Raises:
      InputError: another dtype than float64.
    """
    if options.dtype != np.float64:
        raise InputError(
            "dtype must be float64 here, where bounds are rounded outward, got "
            f"{options.dtype}"
        )
    return options


def positive_tol(options: Options) -> Options:
    """Returns the options of an iteration, which never reaches a gap of 0.

    Raises:
      InputError: a tolerance of 0.
    """
    if options.tol == 0:
        raise InputError("tol must be a positive number here, got 0")
    return options


def _check_tolerance(tol: Any) -> float:
    return _entry.check_number(
        "tol", tol, lambda x: 0 <= x < math.inf, "a positive number or 0"
    )


def _check_devices(devices: Any) -> tuple[jax.Device, ...] | None:
    if devices is None:
        return None
    try:
        devices = tuple(devices)
    except TypeError:
        devices = (devices,)
    if not devices:
        raise InputError("devices is empty; None takes all local ones")
    odd = [d for d in devices if not isinstance(d, jax.Device)]
    if odd:
        raise InputError(
            "devices must be a sequence of JAX devices, such as "
            f"jax.devices(), got {reprlib.repr(odd[0])}"
        )
    return devices
