"""A data set in memory: splits of named modalities, labels and ids."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from arm_jax.errors import InputError

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples of one split, one array a field.

    Attributes:
      inputs: modality name to float32 array `[n, ...]`.
      label: int32 array `[n]`, classes 0 to K-1.
      id: int32 array `[n]`, stable over runs and machines.
      groups: further int32 arrays `[n]`, such as the subject.
    """

    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    id: np.ndarray
    groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: np.ndarray) -> "Split":
        """Returns the examples that `chosen`, bool `[n]`, marks."""
        return Split(
            inputs={name: x[chosen] for name, x in self.inputs.items()},
            label=self.label[chosen],
            id=self.id[chosen],
            groups={name: x[chosen] for name, x in self.groups.items()},
        )

    def take(self, indices: np.ndarray) -> dict:
        """Returns the examples at `indices` as one batch."""
        return {
            "inputs": {name: x[indices] for name, x in self.inputs.items()},
            "label": self.label[indices],
            "id": self.id[indices],
        }


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The three splits and what a model has to know about them."""

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example of each modality, sorted by name."""
        inputs = self.splits["train"].inputs
        return {name: inputs[name].shape[1:] for name in sorted(inputs)}

    @property
    def log_prior(self) -> np.ndarray:
        """Log share of each class in the training split, `[K]`, nats."""
        label = self.splits["train"].label
        counts = np.bincount(label, minlength=len(self.class_names))
        return np.log(counts / counts.sum())


def checked(dataset: Dataset) -> Dataset:
    """Returns `dataset` if a model can be trained on it.

    Raises:
      InputError: an empty split, non-finite features, labels outside 0..K-1,
        or a class that has no training example.
    """
    classes = len(dataset.class_names)
    if classes < 2:
        raise InputError(f"{dataset.name}: a task needs two classes or more")
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        if not len(split):
            raise InputError(f"{where}: no examples")
        bad = (split.label < 0) | (split.label >= classes)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{where}: label[{at}] is {split.label[at]}, outside "
                f"0..{classes - 1}"
            )
        for modality, x in split.inputs.items():
            check_finite(f"{where}: {modality}", x)
    present = np.unique(dataset.splits["train"].label)
    absent = sorted(set(range(classes)) - set(present.tolist()))
    if absent:
        raise InputError(
            f"{dataset.name}: no training example of class "
            + ", ".join(f"{k} ({dataset.class_names[k]})" for k in absent)
        )
    return dataset


def check_finite(name: str, x: np.ndarray) -> None:
    """Raises InputError naming the first entry that is NaN or infinite."""
    bad = ~np.isfinite(x)
    if bad.any():
        index = np.argwhere(bad)[0].tolist()
        raise InputError(f"{name}{index} is {x[tuple(index)]}")


def standardized(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Returns splits with each channel at mean 0 and deviation 1 on `train`.

    The channels of a modality are its last axis. A channel that is constant in
    the training split is only centred.
    """
    scales = {}
    for name, x in splits["train"].inputs.items():
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axis=axes, dtype=np.float64)
        deviation = x.std(axis=axes, dtype=np.float64)
        scales[name] = mean, np.where(deviation > 0, deviation, 1.0)
    return {
        split_name: dataclasses.replace(
            split,
            inputs={
                name: ((x - scales[name][0]) / scales[name][1]).astype(
                    np.float32
                )
                for name, x in split.inputs.items()
            },
        )
        for split_name, split in splits.items()
    }
