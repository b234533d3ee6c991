"""Methods by name: one file, one name, one signature.

A method is a module with a function

    loss(forward, batch, *, option=default, ...) -> (scalar, metrics)

in this package, or anywhere under a dotted path: adding a loss is adding a
file. `forward` is a `Forward`, `batch` a dict with `inputs`, `label` and `id`,
the scalar is the mean over the batch (of this device), the metrics are scalars
by name, averaged over devices and logged. The keyword arguments are the
method's options and their defaults.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from arm_jax.config import check_options
from arm_jax.errors import InputError
from arm_jax.valuation import Head, Subsets, subset_log_probs

_NOT_METHODS = frozenset({"terms"})


class Forward(NamedTuple):
    """What a loss sees of the model, inside one training step.

    Attributes:
      features: of each modality by name, `[batch, width]`.
      head: `head(features, mask) -> logits [batch, classes]`, differentiable
        in the features and in the parameters it closes over.
      log_prior: log p(y) in the training split, `[classes]`, nats.
      step: number of steps taken before this one, for schedules.
      axis_name: of the mapped device axis, or None.
    """

    features: dict[str, jax.Array]
    head: Head
    log_prior: jax.Array
    step: jax.Array
    axis_name: str | None = None

    def mean(self, x: jax.Array) -> jax.Array:
        """Mean over the last axis of `x` and over all devices.

        For quantities that enter the loss other than linearly: those must be
        averaged over the whole batch before they are compared.
        """
        local = x.mean(axis=-1)
        if self.axis_name is None:
            return local
        return jax.lax.pmean(local, self.axis_name)

    def log_probs(self) -> Subsets:
        """Log-probabilities of all subsets, on features computed once."""
        return subset_log_probs(self.head, self.features)


Metrics = dict[str, jax.Array]
Loss = Callable[[Forward, Mapping[str, Any]], tuple[jax.Array, Metrics]]


def names() -> list[str]:
    """Returns the names of the methods that come with the project."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(set(found) - _NOT_METHODS)


def default_options(name: str) -> dict[str, Any]:
    """Returns the options of the method `name` with their defaults."""
    return {
        key: parameter.default
        for key, parameter in inspect.signature(_loss(name)).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def create(name: str, options: Mapping[str, Any]) -> Loss:
    """Returns the loss of the method `name` with its options bound.

    Raises:
      InputError: unknown method or option.
    """
    check_options(f"method '{name}'", default_options(name), options)
    return functools.partial(_loss(name), **options)


def _loss(name: str) -> Callable[..., tuple[jax.Array, Metrics]]:
    if "." not in name and name not in names():
        raise InputError(
            f"unknown method '{name}'; known: {', '.join(names())} (or the "
            "dotted path of a module with a function `loss`)"
        )
    target = name if "." in name else f"{__name__}.{name}"
    try:
        return importlib.import_module(target).loss
    except ModuleNotFoundError as error:
        if error.name is None or not target.startswith(error.name):
            raise
        raise InputError(f"no module '{name}' for the method") from error
