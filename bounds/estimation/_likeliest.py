"""Of several classifiers' outputs, calibrated, the likeliest."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bounds.errors import InputError
from bounds.estimation.calibration import KINDS, LEAST, calibrate


class Likeliest(NamedTuple):
    """Outputs on samples that their classifier was not fitted to.

    Attributes:
      name: which classifier's.
      calibration: how they were calibrated; empty if not at all.
      posteriors: p(y|x), `[n, y]`.
      log_likelihood: of every sample's label, in bits, `[n]`.
    """

    name: str
    calibration: str
    posteriors: np.ndarray
    log_likelihood: np.ndarray


def likeliest(
    outputs: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    weights: np.ndarray,
    groups: np.ndarray,
    calibration: str,
    folds: int,
    seed: int,
) -> Likeliest:
    """Returns the outputs of the largest mean log-likelihood.

    Each is calibrated on other folds than those it is scored on, so that the
    choice is between answers that were not fitted to these labels.

    Args:
      outputs: p(y|x) by name of the classifier, `[n, y]` each.
      labels: classes, `[n]`.
      weights: of the samples, `[n]`.
      groups: see `calibrate`.
      calibration: "temperature", "vector"; "auto", the likelier; or "".
      folds: see `calibrate`.
      seed: see `calibrate`.

    Raises:
      InputError: as `calibrate`.
    """
    kinds = KINDS if calibration == "auto" else (calibration,)
    rows = np.arange(len(labels))
    best: Likeliest | None = None
    most = -np.inf
    for name, p in outputs.items():
        for kind in kinds:
            r = p
            if kind:
                r = calibrate(
                    p, labels, kind=kind, weights=weights, groups=groups,
                    folds=folds, seed=seed,
                ).probabilities  # fmt: skip
            # What is sure and wrong loses, but by no infinity.
            bits = np.log2(np.maximum(r[rows, labels], LEAST))
            mean = float(np.average(bits, weights=weights))
            if mean > most:
                most, best = mean, Likeliest(name, kind, r, bits)
    if best is None:
        raise InputError("there are no outputs to choose from")
    return best
