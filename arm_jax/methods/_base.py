"""What a method is: a frozen dataclass of options, and the hooks it may fill.

All of it is for one run: training maps over seeds and devices elsewhere. One
file, longer than most: whoever writes a method reads its hooks as a list.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import parallel
from arm_jax.errors import InputError, shortened
from arm_jax.methods._epoch import Copies, Epoch
from arm_jax.valuation import (
    Array,
    Head,
    Subsets,
    masks_for,
    subset_log_probs,
)

Memory = Any
Metrics = dict[str, jax.Array]
Batch = Mapping[str, Any]
# What a loss returns: a scalar, metrics, and a carry if it has one.
Loss = tuple[jax.Array, Metrics] | tuple[jax.Array, Metrics, Any]


class Variables(flax.struct.PyTreeNode):
    """What a prediction needs.

    Attributes:
      params: Parameters of the model, and of the method under "method".
      state: State of the model, see arm_jax.models.Model.
      memory: What the method keeps.
    """

    params: Any
    state: Any
    memory: Memory


class Context(NamedTuple):
    """What a method may know when its memory is made.

    Attributes:
      modalities: Names, sorted.
      num_classes: Number of classes; 2 where there are several labels, and of
        outputs where a number is predicted.
      widths: Width of the features, by modality.
      params: Parameters of the model as they were drawn, for a memory that has
        their shapes. Weights on disk are loaded after it is made:
        `begin_epoch` sees what the first step starts from.
      state: State of the model likewise.
      labels: Number of labels, or numbers, that an example has at once, see
        arm_jax.tasks; 0 where it has one.
    """

    modalities: tuple[str, ...]
    num_classes: int
    widths: Mapping[str, int]
    params: Any = None
    state: Any = None
    labels: int = 0

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


class Forward(NamedTuple):
    """What a loss sees of the model, inside one training step.

    Attributes:
      features: Those of each modality by name, `[batch, width]`.
      head: `head(features, mask) -> logits [batch, classes]`, differentiable
        in the features and in the parameters it closes over. `mask` is over
        modalities; those missing from the batch stay masked.
        An entry other than 0 and 1 weighs what the modality adds. Of several
        labels, logits are `[batch, labels, 2]` and `label` is `[batch,
        labels]`; of numbers, a `Gaussian` stands in the place of logits.
      log_prior: log p(y) in the training split, `[classes]` or `[labels, 2]`,
        nats.
      step: Number of steps taken before this one, for schedules.
      memory: What `Method.init` made and `Method.remember` keeps.
      turn: Number of the turn, a Python integer; see `Method.turns`.
      phase: Whatever `Method.phase` says of the epoch.
      parameters: What `Method.parameters` made, as trained so far.
      axis_name: Name of the mapped device axis, or None.
      key: Key for what the loss draws, another one each step and the same on
        all devices; see `normal` and `uniform`.
      model_head: The head without the method's `fuse`, for what training does
        and prediction does not (`greedy`).
      encode: `encode(params, state) -> features` of the batch under other
        parameters and another state of the encoders, as in a prediction.
    """

    features: dict[str, jax.Array]
    head: Head
    log_prior: Array
    step: jax.Array
    memory: Memory = ()
    turn: int = 0
    phase: Any = None
    parameters: Any = ()
    axis_name: str | None = None
    key: Any = None
    model_head: Any = None
    encode: Any = None

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
        return parallel.means([(x, weight)], self.axis_name)[0]

    def gather(self, x: jax.Array) -> jax.Array:
        """`x`, `[batch, ...]`, of all devices, along the first axis.

        For what is no function of means over the batch, such as a histogram.
        """
        return parallel.gather(x, self.axis_name)

    def normal(self, columns: int) -> jax.Array:
        """Standard normal numbers of the examples, `[batch, columns]`.

        Those of the whole batch are the same on any number of devices.
        """
        return self._drawn(jax.random.normal, columns)

    def uniform(self, columns: int) -> jax.Array:
        """Numbers in [0, 1) of the examples, like `normal`."""
        return self._drawn(jax.random.uniform, columns)

    def _drawn(self, draw: Callable[..., jax.Array], columns: int) -> jax.Array:
        size = len(next(iter(self.features.values())))
        if self.axis_name is None:
            return draw(self.key, (size, columns))
        whole = size * jax.lax.axis_size(self.axis_name)
        return jax.lax.dynamic_slice_in_dim(
            draw(self.key, (whole, columns)),
            jax.lax.axis_index(self.axis_name) * size,
            size,
        )


class Losses(NamedTuple):
    """What `Method.losses` returns.

    Attributes:
      values: Scalars by name: means over the batch of this device. Each gets a
        gradient of its own.
      metrics: Arrays by name; the scalars among them are logged.
      carry: Pytree of arrays that `combine` and `remember` see.
    """

    values: dict[str, jax.Array]
    metrics: Metrics
    carry: Any = ()


class Step(NamedTuple):
    """One update behind the loss, the same on all devices.

    Attributes:
      gradients: Gradient of each loss by its name, "loss" if there is one
        alone; pytrees like `params`.
      params: Parameters that they were taken at.
      memory: The method's memory before the update.
      carry: What the loss hands over, averaged over devices.
      key: Key for what the method draws, another one each step.
    """

    gradients: Mapping[str, Any]
    params: Any
    memory: Memory
    carry: Any
    key: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """One way to train: options, a loss, and hooks that few methods need.

    A method is a subclass, itself a dataclass with the same arguments. Its
    fields are its options: from the config they are checked by type, and by
    value in `check`. It has `loss`, or `losses` where several gradients are
    needed; every other hook has a default.

    Attributes:
      needs_fusion: Name of the fusion that it needs, see
        arm_jax.models.fusions; empty for any.
      needs_additive_head: Whether the definition needs logits that add up over
        the modalities, which a head with hidden layers does not make.
      modality_counts: Numbers of modalities that the definition allows; empty
        for any.
    """

    needs_fusion: ClassVar[str] = ""
    needs_additive_head: ClassVar[bool] = False
    modality_counts: ClassVar[tuple[int, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Keeps options from hiding hooks, and inherited hooks from a new one.

        A class with a `fuse` of its own does not mean a parent's `fuse_masks`.
        """
        super().__init_subclass__()
        if "fuse" in vars(cls) and "fuse_masks" not in vars(cls):
            cls.fuse_masks = Method.fuse_masks  # type: ignore[method-assign]
        for name, hint in inspect.get_annotations(cls).items():
            is_option = "ClassVar" not in str(hint)
            if is_option and hasattr(Method, name):
                raise TypeError(
                    f"{cls.__name__}: an option cannot be called '{name}', "
                    "which is a hook of every method"
                )

    def __post_init__(self) -> None:
        """Checks the options."""
        self.check()

    def check(self) -> None:
        """Checks the values of options, whose types are right.

        Raises:
          InputError: One is refused; `terms` has checks that say which.
        """

    def allows(self, modalities: int) -> bool:
        """Whether the definition covers this number of modalities."""
        return not self.modality_counts or modalities in self.modality_counts

    # What it keeps.

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns the first memory: a pytree of arrays in the training state.

        Args:
          context: What is known of the data and the model.
          key: Key for what is drawn.
        """
        return ()

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns parameters of its own, which are trained like the model's.

        Args:
          context: What is known of the data and the model.
          key: Key for what is drawn.
        """
        return ()

    # In a step, under jit.

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Returns `(scalar, metrics)` or `(scalar, metrics, carry)`.

        Args:
          forward: The model on the batch.
          batch: `inputs`, `label`, `id` and `mask`, of this device.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has neither `loss` nor `losses`"
        )

    def losses(self, forward: Forward, batch: Batch) -> Losses:
        """Returns the losses whose gradients `combine` puts together.

        Args:
          forward: The model on the batch.
          batch: `inputs`, `label`, `id` and `mask`, of this device.

        Raises:
          InputError: `loss` returns something else than it should.
        """
        found = self.loss(forward, batch)
        if not isinstance(found, tuple) or len(found) not in (2, 3):
            raise InputError(
                f"{self._loss_name()} must return (scalar, metrics) or (scalar,"
                f" metrics, carry), got {shortened(repr(found))}"
            )
        value, metrics, *carry = found
        return Losses({"loss": value}, metrics, *carry)

    def _loss_name(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}.loss"

    def combine(self, step: Step) -> Any:
        """Returns the gradient that the optimiser gets: the sum of all."""
        return functools.reduce(
            lambda a, b: jax.tree.map(jnp.add, a, b), step.gradients.values()
        )

    def remember(self, step: Step) -> Memory:
        """Returns the memory after an update."""
        return step.memory

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Returns logits, in training and in prediction.

        Args:
          head: The model's head.
          features: Those of each modality, `[batch, width]`.
          mask: 1 for the modalities present, `[modalities]` or `[batch,
            modalities]`.
          memory: The method's memory.
          parameters: The method's own parameters.
        """
        return head(features, mask)

    def fuse_masks(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        masks: np.ndarray,
        present: jax.Array | None,
        memory: Memory,
        parameters: Any,
    ) -> Any:
        """Returns logits of several subsets, `[subsets, batch, ...]`.

        What `fuse` returns for each; to be overridden only where subsets can
        share work.

        Args:
          head: As in `fuse`, like `features`, `memory` and `parameters`.
          features: See there.
          masks: `[subsets, modalities]`, of 0 and 1.
          present: What the batch has, `[batch, modalities]`; None for all.
          memory: See there.
          parameters: See there.
        """

        def of_one(mask: jax.Array) -> jax.Array:
            if present is not None:
                mask = jnp.atleast_2d(mask) * present
            return self.fuse(head, features, mask, memory, parameters)

        return jax.vmap(of_one)(masks_for(features, masks))

    def turns(self, modalities: int) -> int:
        """Number of updates per batch."""
        return 1

    def phase(self, epoch: int, modalities: int) -> Any:
        """Returns what `Forward.phase` is in an epoch; hashable.

        Steps are compiled once for each value.

        Args:
          epoch: Number of the epoch.
          modalities: Number of modalities.
        """
        return None

    def held(self, params: Any, turn: int, phase: Any) -> Any:
        """Returns which parameters an update leaves alone, moments included.

        An encoder that is held as a whole runs as it does in a prediction:
        without dropout, by statistics that stay what they are.

        Args:
          params: The parameters.
          turn: Number of the turn.
          phase: The epoch's phase.

        Returns:
          A tree of bools that begins like `params`, or None for no parameter.
        """
        return None

    def scales(
        self, modalities: Sequence[str]
    ) -> Mapping[str, tuple[float, float]]:
        """Factors of learning rate and weight decay, by modality.

        They are those of the modality's encoder, and of the method's own
        parameters under its name.

        Args:
          modalities: Names, sorted.

        Raises:
          InputError: The options are for another number of them.
        """
        return {}

    # Between two epochs, on the host.

    def least_epochs(self, modalities: int) -> int:
        """The fewest epochs of a training that the options are for."""
        return 1

    def least_rows(self, examples: int) -> int:
        """The fewest examples that a copy is trained on, see `Epoch.fork`.

        Args:
          examples: Number of examples in the training split.

        Raises:
          InputError: The options are for more of them.
        """
        return examples

    def starts(self) -> int:
        """The first epoch that `begin_epoch` is called before."""
        return 0

    def copies(self, examples: int) -> int:
        """Number of examples that each epoch from `starts` on shows once more.

        It is fixed, so that all these epochs have the same length.

        Args:
          examples: Number of examples in the training split.
        """
        return 0

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Looks at the model, replaces variables, draws copies.

        Returns:
          As many copies as `copies` says, or None for none.
        """
        return None
