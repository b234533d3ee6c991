"""What a method may do between two epochs: look, replace, try, re-sample."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.valuation import Array, Subsets


class Survey(NamedTuple):
    """The model on a whole split; NumPy.

    Attributes:
      features: Those of each modality, `[n, width]`.
      log_probs: `full` `[n, classes]`, `alone` and `without`
        `[modalities, n, classes]`; nats.
      label: `[n]`.
      log_prior: log p(y) in the training split, `[classes]`.
      present: Which modalities the examples have, `[n, modalities]`; None if
        all have all.
    """

    features: dict[str, np.ndarray]
    log_probs: Subsets
    label: np.ndarray
    log_prior: np.ndarray
    present: np.ndarray | None = None


class Copies(NamedTuple):
    """Examples to be seen once more in an epoch, with some modalities only.

    Attributes:
      row: Position in the training split, `[copies]`.
      mask: Modalities that are kept, `[copies, modalities]`.
    """

    row: Array
    mask: Array


class Epoch(abc.ABC):
    """One run just before an epoch; its arrays are NumPy's.

    Everything is a function of the configuration and the seed, so that a
    resumed run does what the uninterrupted one would have done.

    Attributes:
      number: The epoch's number, from 0.
      rng: Generator that belongs to this run and epoch.
      modalities: Names, sorted.
      num_classes: Number of labels.
      steps: Number of batches of an epoch without copies of examples.
      epochs: Number of epochs of the training.
    """

    number: int
    rng: np.random.Generator
    modalities: tuple[str, ...]
    num_classes: int
    steps: int
    epochs: int

    @property
    @abc.abstractmethod
    def variables(self) -> Any:
        """The run's `Variables`, as `replace` has left them."""

    @property
    @abc.abstractmethod
    def initial(self) -> Any:
        """The run's `Variables` before the first step."""

    @abc.abstractmethod
    def survey(self, split: str = "train", variables: Any = None) -> Survey:
        """Returns features and predictions of a split.

        Args:
          split: "train", "validation" or "test".
          variables: `Variables` of the model to look at; the run's if None.

        Raises:
          ValueError: There is no such split.
        """

    @abc.abstractmethod
    def replace(
        self,
        *,
        params: Any = None,
        state: Any = None,
        memory: Any = None,
        keep_moments: bool = False,
    ) -> None:
        """Puts other variables in the place of the run's.

        Args:
          params: Parameters, in the tree, shapes and dtypes of the run's.
          state: State of the model, likewise.
          memory: Memory of the method, likewise.
          keep_moments: Whether the optimiser goes on with the moments of the
            parameters that are not what they were. They start anew if not.

        Raises:
          ValueError: A tree, shape or dtype is another one.
        """

    @abc.abstractmethod
    def fork(
        self,
        steps: int,
        *,
        variables: Any = None,
        mask: Sequence[float] | None = None,
        phase: Any = None,
        rows: np.ndarray | None = None,
    ) -> Any:
        """Returns the `Variables` of a copy that is trained for a while.

        The copy has the run's optimiser and sees the batches that the coming
        epochs begin with, without copies of examples. The run is untouched.

        Args:
          steps: Number of batches.
          variables: Where the copy begins; at the run's variables if None. It
            may have another memory, and so other weights of its losses.
          mask: Modalities that the copy sees, `[modalities]`; all if None.
          phase: `Forward.phase` of its steps; that of the epochs if None.
          rows: Positions in the training split of the examples that it sees;
            all if None.

        Raises:
          InputError: These are fewer than a batch.
        """
