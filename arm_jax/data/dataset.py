"""A data set: splits of named modalities, labels and ids."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from arm_jax.data import labels, presence, workers
from arm_jax.data.labels import Target
from arm_jax.data.scaling import blocks, standardized_parts
from arm_jax.data.source import Source, described, named_leaves
from arm_jax.errors import InputError
from bounds import inputs

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples of one split.

    Attributes:
      inputs: In memory, modality name to array `[n, ...]`, or pytree of arrays
        (token ids and their mask are one modality): float32, integers or bool.
        Or a `Source`, which reads them when they are asked for.
      label: int32 array `[n]`, classes 0 to K-1; or `[n, labels]`, 1 for the
        labels that an example has and else 0; or float32, numbers to be
        predicted, `[n]` or `[n, numbers]`, standardised by the training split.
      id: int32 array `[n]`, stable over runs and machines.
      groups: further integer arrays `[n]`, such as the subject; only whether
        two of them are equal counts.
      weights: float64 `[n]`, from 0 on, how much each example counts where
        interactions are quantified; None if all count the same. Training does
        without them.
      present: float32 `[n, modalities]`, 1 for what an example has and else
        0, modalities sorted; None if all have all. What stands in the place of
        what is missing does not matter.
    """

    inputs: Mapping[str, Any] | Source
    label: np.ndarray
    id: np.ndarray
    groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    weights: np.ndarray | None = None
    present: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)

    @functools.cached_property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, sorted."""
        return tuple(sorted(_specs(self)))

    def where(self, chosen: np.ndarray) -> "Split":
        """Returns the examples that `chosen`, bool `[n]`, marks."""
        return Split(
            inputs=self.inputs.where(chosen)
            if isinstance(self.inputs, Source)
            else jax.tree.map(lambda x: x[chosen], dict(self.inputs)),
            label=self.label[chosen],
            id=self.id[chosen],
            groups={name: x[chosen] for name, x in self.groups.items()},
            weights=None if self.weights is None else self.weights[chosen],
            present=None if self.present is None else self.present[chosen],
        )

    def arrays(self, modality: str) -> np.ndarray:
        """Returns the inputs of a modality, `[n, ...]`.

        Raises:
          InputError: It is no single array in memory.
        """
        if isinstance(self.inputs, Source):
            raise InputError(
                f"modality '{modality}' is not in memory; this needs its "
                "arrays: give features of it, for example as an .npz file"
            )
        x = self.inputs[modality]
        if not isinstance(x, np.ndarray):
            raise InputError(
                f"modality '{modality}' is no array but has {described(x)}; "
                "this needs features of it, for example as an .npz file"
            )
        return x

    def take(
        self,
        indices: np.ndarray,
        seeds: np.ndarray | None = None,
    ) -> dict:
        """Returns the examples at `indices` as one batch.

        Args:
          indices: Positions in the split, of any shape.
          seeds: See `Source.take`; inputs in memory are not augmented.

        Returns:
          `inputs`, `label`, `id`; and `mask`, of `present`, if there is one.
        """
        if isinstance(self.inputs, Source):
            inputs = self.inputs.take(indices, seeds)
        else:
            inputs = jax.tree.map(lambda x: x[indices], dict(self.inputs))
        batch = {
            "inputs": inputs,
            "label": self.label[indices],
            "id": self.id[indices],
        }
        if self.present is not None:
            batch["mask"] = self.present[indices]
        return batch


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The three splits and what a model has to know about them.

    Attributes:
      name: Name, for messages.
      class_names: Names of the classes; of the two values of each label, where
        an example has several.
      splits: By name.
      label_names: Names of the labels, or numbers, that an example has at once,
        see arm_jax.tasks; none where it has one class or number.
      target: What `label` was before it was standardised, where it is a number,
        or several; there are no names of classes then. None where it is none.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    label_names: tuple[str, ...] = ()
    target: Target | None = None

    @functools.cached_property
    def specs(self) -> dict[str, Any]:
        """Shapes and types of one example of each modality, sorted by name.

        A `jax.ShapeDtypeStruct`, or a pytree of them.
        """
        example = _specs(self.splits["train"])
        return {name: example[name] for name in sorted(example)}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, sorted."""
        return tuple(self.specs)

    @property
    def shapes(self) -> dict[str, Any]:
        """Shape of one example of each modality, or a pytree of shapes."""
        return jax.tree.map(lambda x: x.shape, self.specs)

    @property
    def log_prior(self) -> np.ndarray:
        """Log share of each class in the training split, nats.

        `[K]`; or `[labels, 2]`, of the examples without and with each label;
        or of a number mean and log deviation of its Gaussian, `[2]`, of
        several `[numbers, 2]`.
        """
        if self.target is not None:
            return np.zeros((*np.shape(self.target.mean), 2))
        label = self.splits["train"].label
        if self.label_names:
            share = label.mean(axis=0)
            return np.log(np.stack([1 - share, share], axis=-1))
        counts = np.bincount(label, minlength=len(self.class_names))
        return np.log(counts / counts.sum())

    @property
    def unit(self) -> float | np.ndarray:
        """What 1 in a label is in the unit of the number it is; 1 of others.

        Of several numbers `[numbers]`.
        """
        return 1.0 if self.target is None else self.target.deviation

    @functools.cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that tell what was loaded, but for the name.

        Equal data have equal digests on all machines.
        """
        sha = hashlib.sha256(repr([str(k) for k in self.class_names]).encode())
        if self.label_names:
            sha.update(repr([str(k) for k in self.label_names]).encode())
        if self.target is not None:
            known = np.concatenate([np.ravel(x) for x in self.target])
            sha.update(repr(known.tolist()).encode())
        for split_name, split in sorted(self.splits.items()):
            if isinstance(split.inputs, Source):
                sha.update(repr((split_name, split.inputs.digest)).encode())
                rows = split.inputs.rows
                own = {} if rows is None else {("rows", ""): rows}
            else:
                leaves = named_leaves(dict(split.inputs))
                own = {("input", name): x for name, x in leaves}
            arrays = {
                **own,
                **{("group", name): x for name, x in split.groups.items()},
                ("label", ""): split.label,
                ("id", ""): split.id,
            }
            if split.weights is not None:
                arrays["weights", ""] = split.weights
            if split.present is not None:
                arrays["present", ""] = split.present
            for key in sorted(arrays):
                x = arrays[key]
                # Integers by value, whatever their type.
                dtype = "<i8" if x.dtype.kind in "biu" else x.dtype
                x = np.ascontiguousarray(x, np.dtype(dtype).newbyteorder("<"))
                title = split_name, *key, x.dtype.str, x.shape
                sha.update(repr(title).encode())
                sha.update(x.reshape(-1).view(np.uint8).data)
        return sha.hexdigest()[:12]


def with_workers(dataset: Dataset, threads: int, processes: int) -> Dataset:
    """Returns a data set whose sources make batches by so many workers.

    Args:
      dataset: The data set; what is in memory needs no workers.
      threads: See `Source`.
      processes: Processes that make them in place of threads; 0 for none.

    Raises:
      InputError: Both are given.
    """
    if threads and processes:
        raise InputError(
            f"config data.threads {threads} and data.processes {processes}: "
            "batches are made by threads or by processes, set one of them"
        )
    sources = {
        name: dataclasses.replace(split.inputs, elsewhere=None)
        for name, split in dataset.splits.items()
        if isinstance(split.inputs, Source)
    }
    pool = workers.Pool({n: x.make for n, x in sources.items()}, processes)

    def working(name: str, source: Source) -> Source:
        if not processes:
            return dataclasses.replace(source, threads=threads)
        # One thread more waits for the process that is done first.
        take = functools.partial(pool.take, name)
        return dataclasses.replace(
            source, threads=processes + 1, elsewhere=take
        )

    splits = {
        name: dataclasses.replace(
            dataset.splits[name], inputs=working(name, source)
        )
        for name, source in sources.items()
    }
    return dataclasses.replace(dataset, splits={**dataset.splits, **splits})


def checked(dataset: Dataset) -> Dataset:
    """Returns `dataset` if a model can be trained on it.

    Raises:
      InputError: splits other than the three; arrays that do not belong
        together; an empty split, missing or infinite features, labels outside
        0..K-1, a class that has no training example, a label that all
        training examples have, or none, or numbers to be predicted that are
        not standardised, or constant in a split.
    """
    if set(dataset.splits) != set(SPLITS):
        raise InputError(
            f"{dataset.name}: the splits must be {', '.join(SPLITS)}; got "
            f"{', '.join(map(str, dataset.splits)) or 'none'}"
        )
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        _check_arrays(where, split, dataset)
    labels.check(dataset)
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        if not isinstance(split.inputs, Source):
            for name, x in named_leaves(dict(split.inputs)):
                there = presence.of(split, name.partition("/")[0])
                check_complete(f"{where}: {name}", x[there])
    return dataset


def _check_arrays(where: str, split: Split, dataset: Dataset) -> None:
    """Checks that the arrays of a split belong together and to training."""
    train = dataset.splits["train"]
    if not len(split):
        raise InputError(f"{where}: no examples")
    specs = named_leaves(_specs(split))
    shapes = {name: x.shape for name, x in specs}
    expected = {name: x.shape for name, x in named_leaves(_specs(train))}
    if shapes != expected or not shapes:
        raise InputError(
            f"{where}: samples have the shapes {shapes}, those of the training "
            f"split {expected}"
        )
    for name, x in specs:
        if x.dtype != np.float32 and x.dtype.kind not in "iub":
            raise InputError(
                f"{where}: {name} must be float32, integers or bool, got "
                f"{x.dtype}"
            )
    labels.check_array(where, split.label, dataset)
    vectors = {"id": split.id, **split.groups}
    for name, x in vectors.items():
        if x.ndim != 1 or x.dtype.kind not in "iu":
            raise InputError(
                f"{where}: {name} must be a vector of integers, got "
                f"{x.dtype} {x.shape}"
            )
    if split.present is not None:
        presence.check(where, split.present, (len(split), len(_specs(train))))
    if isinstance(split.inputs, Source):
        lengths = {"inputs": len(split.inputs)}
    else:
        leaves = named_leaves(dict(split.inputs))
        lengths = {name: len(x) for name, x in leaves}
    lengths |= {name: len(x) for name, x in vectors.items()}
    if split.weights is not None:
        lengths["weights"] = len(split.weights)
    for name, length in lengths.items():
        if length != len(split):
            raise InputError(
                f"{where}: {name} has {length} rows, label {len(split)}"
            )


def _specs(split: Split) -> dict[str, Any]:
    """Shapes and types of one example; of a source, those of its first."""
    if isinstance(split.inputs, Source):
        example = split.inputs.example(0) if len(split.inputs) else {}
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(np.shape(x), np.asarray(x).dtype),
            example,
        )
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
        dict(split.inputs),
    )


def check_complete(name: str, x: np.ndarray) -> None:
    """Raises InputError if any of the rows `[n, ...]` has NaN or infinities."""
    if x.dtype.kind != "f":
        return
    rows, first = 0, None
    for start, block in blocks(x, np.arange(len(x))):
        bad = ~np.isfinite(block)
        if bad.any():
            row, *rest = inputs.first(bad)
            first = first or (start + row, *rest)
            rows += int(bad.reshape(len(bad), -1).any(1).sum())
    if first is not None:
        raise InputError(
            f"{name}{inputs.subscript(first)} is {x[first]}, and {rows} of "
            f"{len(x)} rows ({rows / len(x):.1%}) have such entries: drop "
            "these rows, fill them, or say which rows lack the modality "
            "(arm_jax.data.npz: `present_MODALITY`)"
        )


def standardized(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Returns splits with each channel at mean 0 and deviation 1 on `train`.

    The channels of a modality are its last axis. A channel that is constant in
    the training split, up to rounding, is only centred. Inputs may be of any
    type of numbers and are float32 afterwards.

    Raises:
      InputError: as `standardized_parts`.
    """
    order = ["train", *(name for name in splits if name != "train")]
    scaled: dict[str, dict[str, np.ndarray]] = {name: {} for name in splits}
    for modality in _specs(splits["train"]):
        parts = [splits[name].arrays(modality) for name in order]
        arrays = standardized_parts(
            modality, [(x, np.arange(len(x))) for x in parts]
        )
        for name, x in zip(order, arrays, strict=True):
            scaled[name][modality] = x
    return {
        name: dataclasses.replace(split, inputs=scaled[name])
        for name, split in splits.items()
    }
