"""Predictions of a whole split on the host, and what is read off them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from arm_jax import parallel
from arm_jax.data import Split
from arm_jax.data.pipeline import eval_batches
from arm_jax.models import Params
from arm_jax.valuation import Subsets


class Predictions(NamedTuple):
    """Log-probabilities of all examples of a split, in its order.

    Attributes:
      log_probs: in nats; `full` `[n, classes]`, `alone` and `without`
        `[n, modalities, classes]`.
      label: `[n]`.
      id: `[n]`.
    """

    log_probs: Subsets
    label: np.ndarray
    id: np.ndarray


def predict(
    predict_step: Callable[[Params, Mapping[str, Any]], Subsets],
    params: Params,
    split: Split,
    batch_size: int,
) -> Predictions:
    """Predicts all examples of `split`.

    Args:
      predict_step: a step mapped by `parallel.mapped`.
      params: the model's parameters, replicated.
      split: the examples; every process predicts all of them.
      batch_size: of all local devices together.
    """
    parts = []
    for batch in eval_batches(split, batch_size):
        valid = batch.pop("valid")
        sharded = parallel.split(batch)
        outputs = parallel.merge(predict_step(params, sharded))
        parts.append(Subsets(*(x[valid] for x in outputs)))
    log_probs = Subsets(*(np.concatenate(x) for x in zip(*parts, strict=True)))
    return Predictions(log_probs, split.label, split.id)


def summarize(
    predictions: Predictions,
    modalities: tuple[str, ...],
    log_prior: np.ndarray,
) -> dict[str, float]:
    """Returns accuracy and cross-entropy, fused and alone, and contributions.

    Accuracies are shares of 1, the loss is in nats, `phi_mi` and
    `phi_cmi_MODALITY` are mean contributions in bits (arm_jax.valuation).
    """
    log_probs, label = predictions.log_probs, predictions.label
    rows = np.arange(len(label))
    full = log_probs.full[rows, label].astype(np.float64)
    result = {
        "accuracy": float((log_probs.full.argmax(-1) == label).mean()),
        "loss": float(-full.mean()),
        "phi_mi": float((full - log_prior[label]).mean() / np.log(2)),
    }
    for m, name in enumerate(modalities):
        alone = log_probs.alone[:, m]
        without = log_probs.without[rows, m, label]
        result[f"accuracy_{name}"] = float((alone.argmax(-1) == label).mean())
        result[f"phi_cmi_{name}"] = float((full - without).mean() / np.log(2))
    return result
