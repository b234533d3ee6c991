"""Predictions of a whole split on the host, and what is read off them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from arm_jax import multilabel, processes
from arm_jax.data import Split
from arm_jax.data.pipeline import eval_batches
from arm_jax.gaussian import Gaussian
from arm_jax.training import Variables
from arm_jax.valuation import (
    Subsets,
    at_label,
    conditional_contributions,
    joint_contribution,
    modalities_first,
)


class Predictions(NamedTuple):
    """Log-probabilities of all examples of a split by one run, in its order.

    Attributes:
      log_probs: in nats; `full` `[n, classes]`, `alone` and `without`
        `[modalities, n, classes]`; of several labels with `labels, 2` in the
        place of `classes`; of numbers Gaussians.
      label: `[n]`, or `[n, labels]`, or several numbers likewise.
      id: `[n]`.
      present: Which modalities the examples have, `[n, modalities]`; None if
        all have all.
    """

    log_probs: Subsets
    label: np.ndarray
    id: np.ndarray
    present: np.ndarray | None = None


def outputs(
    step: Callable[..., Any],
    variables: Variables,
    split: Split,
    batch_size: int,
) -> list[Any]:
    """Returns what `step` makes of all examples, NumPy `[n, ...]`, by run.

    Args:
      step: a step mapped by `parallel.predict`.
      variables: Variables of all runs, on the devices.
      split: the examples; of several processes each looks at a part, and gets
        what the others found in theirs.
      batch_size: Examples per batch, on all devices together.
    """
    parts = []
    for batch in eval_batches(split, batch_size):
        batch.pop("valid")
        parts.append(step(variables, batch))
    return [_joined(run, len(split)) for run in zip(*parts, strict=True)]


def _joined(batches: Sequence[Any], size: int) -> Any:
    """The outputs of all batches and processes, in order, without padding."""
    found = jax.tree.map(lambda *x: np.stack(x), *batches)
    if not processes.alone():
        # Behind the number of the batch, that of the process.
        found = jax.tree.map(
            lambda x: np.moveaxis(x, 0, 1), processes.stack(found)
        )
        found = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:size], found)


def predictions(log_probs: Subsets, split: Split) -> Predictions:
    """Returns the predictions of a run from its `outputs`."""
    return Predictions(
        modalities_first(Subsets(*log_probs)),
        split.label,
        split.id,
        split.present,
    )


def summarize(
    predictions: Predictions,
    modalities: tuple[str, ...],
    log_prior: np.ndarray,
    unit: float | np.ndarray = 1.0,
) -> dict[str, float]:
    """Returns accuracy and cross-entropy, fused and alone, and contributions.

    Accuracies and the macro-F1 are shares of 1, the loss is in nats, `phi_mi`
    and `phi_cmi_MODALITY` are mean contributions in bits (arm_jax.valuation).
    What is of one modality is the mean over the examples that have it.

    Of several labels, accuracy is the share of all labels of all examples that
    is right at a threshold of 1/2; loss and contributions are sums over the
    labels; the macro-F1 is the mean over labels of each one's; and there are
    `micro_f1` and `exact_match`, the share of examples with no label wrong.

    Of a number, `accuracy` is R^2, 1 less the mean squared error as a share of
    the split's variance, which may be negative; the loss is the negative log
    density of the standardised number; and in the place of the macro-F1 are
    `rmse` and `mae`, in the number's unit, and `correlation`, Pearson's. Of
    several numbers these are means over them, and `rmse` and `mae` in the
    deviations that they have in training; the loss is the sum.

    Args:
      predictions: Those of a run.
      modalities: Names, sorted.
      log_prior: See `valuation.joint_contribution`.
      unit: See `Dataset.unit`.
    """
    label = predictions.label
    log_probs = jax.tree.map(
        lambda x: np.asarray(x, np.float64), predictions.log_probs
    )
    phi_mi = joint_contribution(log_probs, log_prior, label)
    phi_cmi = conditional_contributions(log_probs, label)
    result = {
        "accuracy": float(shares(log_probs.full, label).mean()),
        **more_scores(log_probs.full, label, unit),
        "loss": float(-at_label(log_probs.full, label).mean()),
        "phi_mi": float(phi_mi.mean() / np.log(2)),
    }
    for m, name in enumerate(modalities):
        has: Any = slice(None)
        if predictions.present is not None:
            has = predictions.present[:, m] > 0
        alone = jax.tree.map(lambda x, m=m: x[m], log_probs.alone)
        result[f"accuracy_{name}"] = _mean(shares(alone, label)[has])
        result[f"phi_cmi_{name}"] = float(_mean(phi_cmi[m][has]) / np.log(2))
    return result


def _mean(x: Any) -> float:
    return float(x.mean()) if len(x) else float("nan")


def shares(log_probs: Any, label: np.ndarray) -> np.ndarray:
    """What each example adds to the accuracy, which is the mean over them.

    Args:
      log_probs: Of one prediction, `[n, ...]`, or Gaussians.
      label: Labels of the whole split.

    Returns:
      Whether it is right, `[n]`, or of several labels `[n, labels]`; of a
      number, or each of several, 1 less the squared error as a share of the
      split's variance.
    """
    if isinstance(log_probs, Gaussian):
        error = log_probs.mean - label.astype(np.float64)
        return 1 - error**2 / label.var(axis=0, dtype=np.float64)
    return np.argmax(log_probs, axis=-1) == label


def more_scores(
    log_probs: Any, label: np.ndarray, unit: float | np.ndarray = 1.0
) -> dict[str, float]:
    """Returns what is scored beside the accuracy, see `summarize`.

    Args:
      log_probs: Of one prediction, `[n, ...]`, or Gaussians.
      label: Labels.
      unit: Of a number.
    """
    if isinstance(log_probs, Gaussian):
        mean, number = log_probs.mean, label.astype(np.float64)
        if label.ndim == 1:
            return _of_number(mean, number, float(unit))
        each = [
            _of_number(x, y, 1.0) for x, y in zip(mean.T, number.T, strict=True)
        ]
        return {key: float(np.mean([x[key] for x in each])) for key in each[0]}
    predicted = np.argmax(log_probs, axis=-1)
    if label.ndim == 1:
        return {"macro_f1": macro_f1(predicted, label)}
    return {
        "macro_f1": multilabel.macro_f1(predicted, label),
        "micro_f1": multilabel.micro_f1(predicted, label),
        "exact_match": multilabel.exact_match(predicted, label),
    }


def _of_number(
    mean: np.ndarray, label: np.ndarray, unit: float
) -> dict[str, float]:
    error = (mean - label) * unit
    deviations = mean.std() * label.std()
    product = ((mean - mean.mean()) * (label - label.mean())).mean()
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        # Of what is the same for all examples there is none.
        "correlation": float(product / deviations if deviations else np.nan),
    }


def macro_f1(predicted: np.ndarray, label: np.ndarray) -> float:
    """Mean over classes of the harmonic mean of precision and recall.

    Over the classes that occur among predictions or labels, as scikit-learn
    has it; `predicted` and `label` are `[n]`.
    """
    scores = []
    for k in np.union1d(predicted, label):
        right = ((predicted == k) & (label == k)).sum()
        scores.append(2 * right / ((predicted == k).sum() + (label == k).sum()))
    return float(np.mean(scores))
