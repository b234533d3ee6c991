"""Methods by name: one file, one name, one signature.

A method is a module, in this package or anywhere under a dotted path, with

    loss(forward, batch, *, option=default, ...) -> (scalar, metrics)

so adding a loss is adding a file. `forward` is a `Forward`; `batch` a dict with
`inputs`, `label`, `id` and `mask`; the scalar the mean over the batch of this
device; the metrics are arrays by name, averaged over devices, the scalars
among them logged. The keyword arguments are the method's options.

A method that needs more than a loss (a memory, a say in the gradients, a look
at the training set between epochs) has instead

    method(*, option=default, ...) -> Method
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import registry
from arm_jax.config import check_options
from arm_jax.errors import InputError
from arm_jax.valuation import Array, Head, Subsets, subset_log_probs

# Modules of this package that are no methods.
_NOT_METHODS = frozenset({"terms"})

Memory = Any
Metrics = dict[str, jax.Array]
Batch = Mapping[str, Any]


class Forward(NamedTuple):
    """What a loss sees of the model, inside one training step.

    Attributes:
      features: of each modality by name, `[batch, width]`.
      head: `head(features, mask) -> logits [batch, classes]`, differentiable
        in the features and in the parameters it closes over. `mask` is over
        modalities; those that the batch lacks are absent whatever it says.
        An entry other than 0 and 1 weighs what the modality adds.
      log_prior: log p(y) in the training split, `[classes]`, nats.
      step: number of steps taken before this one, for schedules.
      memory: of the method, see `Method.init`.
      turn: which of the method's turns this is, a Python integer.
      parameters: of the method, see `Method.parameters`.
      axis_name: of the mapped device axis, or None.
      key: for what the loss draws, another one each step and the same on all
        devices; see `normal`.
    """

    features: dict[str, jax.Array]
    head: Head
    log_prior: Array
    step: jax.Array
    memory: Memory = ()
    turn: int = 0
    parameters: Any = ()
    axis_name: str | None = None
    key: Any = None

    def log_probs(self) -> Subsets:
        """Log-probabilities of all subsets, on features computed once."""
        return subset_log_probs(self.head, self.features)

    def mean(self, x: jax.Array, weight: jax.Array | None = None) -> jax.Array:
        """Mean over the last axis of `x` and over all devices.

        For quantities that enter the loss other than linearly: those must be
        averaged over the whole batch before they are compared. Numerator and
        denominator are summed apart.

        Args:
          x: `[..., batch]`.
          weight: `[batch]`; all ones if None. No weight at all gives 0.
        """
        if weight is None:
            weight = jnp.ones(x.shape[-1], x.dtype)
        by_example = weight.reshape((1,) * (x.ndim - 1) + (-1,))
        sums = (x * by_example).sum(-1), weight.sum()
        if self.axis_name is not None:
            sums = jax.lax.psum(sums, self.axis_name)
        return sums[0] / jnp.maximum(sums[1], 1e-12)

    def gather(self, x: jax.Array) -> jax.Array:
        """`x`, `[batch, ...]`, of all devices, along the first axis.

        For what is no function of means over the batch, such as a histogram.
        """
        if self.axis_name is None:
            return x
        return jax.lax.all_gather(x, self.axis_name, tiled=True)

    def normal(self, columns: int) -> jax.Array:
        """Standard normal numbers of the examples, `[batch, columns]`.

        Those of the whole batch are the same on any number of devices.
        """
        size = len(next(iter(self.features.values())))
        if self.axis_name is None:
            return jax.random.normal(self.key, (size, columns))
        whole = size * jax.lax.axis_size(self.axis_name)
        return jax.lax.dynamic_slice_in_dim(
            jax.random.normal(self.key, (whole, columns)),
            jax.lax.axis_index(self.axis_name) * size,
            size,
        )


class Context(NamedTuple):
    """What a method may know when its memory is made.

    Attributes:
      modalities: Names, sorted.
      num_classes: Number of labels.
      widths: Width of the features, by modality.
    """

    modalities: tuple[str, ...]
    num_classes: int
    widths: Mapping[str, int]

    def common_width(self, method: str) -> int:
        """Returns the width of all modalities' features.

        Args:
          method: Name of the method that needs it, for the message.

        Raises:
          InputError: They have several widths.
        """
        widths = set(self.widths.values())
        if len(widths) > 1:
            listed = ", ".join(f"{w} of {m}" for m, w in self.widths.items())
            raise InputError(
                f"method '{method}' needs features of one width, got {listed};"
                " set `features` in config model.encoders"
            )
        return widths.pop()


class Survey(NamedTuple):
    """The model on the whole training split, between two epochs; NumPy.

    Attributes:
      features: of each modality, `[n, width]`.
      log_probs: `full` `[n, classes]`, `alone` and `without`
        `[n, modalities, classes]`; nats.
      label: `[n]`.
      log_prior: `[classes]`.
    """

    features: dict[str, np.ndarray]
    log_probs: Subsets
    label: np.ndarray
    log_prior: np.ndarray


class Copies(NamedTuple):
    """Examples to be seen once more in an epoch, with some modalities only.

    Attributes:
      row: position in the training split, `[copies]`.
      mask: modalities that are kept, `[copies, modalities]`.
    """

    row: Array
    mask: Array


Loss = Callable[[Forward, Batch], tuple[jax.Array, Metrics]]


def _no_memory(context: Context, key: jax.Array) -> Memory:
    del context, key
    return ()


class Method(NamedTuple):
    """One way to train: a loss, and hooks that few methods need.

    Attributes:
      loss: `loss(forward, batch) -> (scalar, metrics)`.
      fusion: Name of the fusion that it needs, see arm_jax.models.fusions;
        empty for any.
      additive_head: whether the definition needs logits that add up over the
        modalities, which a head with hidden layers does not make.
      modality_counts: numbers of modalities that the definition allows; empty
        for any.
      init: `init(context, key) -> memory`: a pytree of arrays that lives in the
        training state.
      parameters: `parameters(context, key) -> parameters`: a pytree of arrays
        of the method's own, trained like the model's.
      fuse: `fuse(head, features, mask, memory) -> logits`, in training and in
        prediction; None leaves the model's head as it is. The method's own
        parameters, if it has any, are a fifth argument.
      update: `update(gradients, metrics, memory, key) -> (gradients, memory)`,
        after the average over devices; the key is the same on all of them.
      turns: updates a batch, from the number of modalities.
      begin_epoch: `begin_epoch(survey, memory, rng) -> (memory, copies)`, on
        the host before each epoch from `warmup` on; `rng` is a NumPy
        generator; the copies are None unless `replay` is positive.
      warmup: epochs before the first `begin_epoch`.
      replay: copies an epoch, as a share of the training examples. The number
        is fixed, so that all epochs after the warm-up have the same length.
    """

    loss: Loss
    fusion: str = ""
    additive_head: bool = False
    modality_counts: tuple[int, ...] = ()
    init: Callable[[Context, jax.Array], Memory] = _no_memory
    parameters: Callable[[Context, jax.Array], Any] | None = None
    fuse: Callable[..., jax.Array] | None = None
    update: Callable[..., tuple[Any, Memory]] | None = None
    turns: Callable[[int], int] = lambda modalities: 1
    begin_epoch: Callable[..., tuple[Memory, Copies | None]] | None = None
    warmup: int = 0
    replay: float = 0.0

    def allows(self, modalities: int) -> bool:
        """Whether the definition covers this number of modalities."""
        return not self.modality_counts or modalities in self.modality_counts


def names() -> list[str]:
    """Returns the names of the methods that come with the project."""
    return registry.names(__path__, _NOT_METHODS)


def default_options(name: str) -> dict[str, Any]:
    """Returns the options of the method `name` with their defaults."""
    return {
        key: parameter.default
        for key, parameter in _options(_module(name)).items()
        if parameter.default is not parameter.empty
    }


def create(name: str, options: Mapping[str, Any]) -> Method:
    """Returns the method `name` with its options bound.

    Raises:
      InputError: unknown method or option, or a value that it refuses.
    """
    module = _module(name)
    check_options(
        f"method '{name}'", _options(module), options, "method.options"
    )
    if hasattr(module, "method"):
        return module.method(**options)
    return Method(functools.partial(module.loss, **options))


def check_head(name: str, method: Method, additive: bool) -> None:
    """Checks the method `name` against the model.

    Args:
      name: Name of the method, for messages.
      method: The method.
      additive: Whether the model's logits add up over the modalities.

    Raises:
      InputError: The method needs logits that do, and they do not.
    """
    if method.additive_head and not additive:
        raise InputError(
            f"method '{name}' needs logits that add up over the modalities: "
            "config model.fusion.name=concat and model.head=()"
        )


def _options(module: Any) -> dict[str, inspect.Parameter]:
    """The options of a method, which are keyword-only parameters."""
    function = getattr(module, "method", None) or module.loss
    return {
        key: parameter
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _module(name: str) -> Any:
    module = registry.find(name, __name__, names(), "method", "loss")
    if not (hasattr(module, "method") or hasattr(module, "loss")):
        raise InputError(f"module '{name}' has no function `loss`")
    return module
