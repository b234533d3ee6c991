"""What each modality contributes to a trained model, sample by sample.

`valuate` reads a finished run and writes, for the chosen split,
valuation_SPLIT.npz, valuation_SPLIT.html and figures into its workdir:

    id, label           [n]; label [n, labels] where there are several
    phi_mi              [seeds, n]              bits, with the true label
    phi_cmi             [seeds, n, modalities]  bits, with the true label
    expected_phi_mi     [seeds, n]              bits, without labels
    expected_phi_cmi    [seeds, n, modalities]  bits, without labels
    modalities          names, in the order of the last axis
    present             [n, modalities], 1 for what an example has and else 0,
                        if some lack some: that adds 0, and counts in no mean

Of several labels, contributions are sums over the labels (arm_jax.tasks). A
number is in its own unit in `label`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.data import Dataset
from arm_jax.data.dataset import SPLITS
from arm_jax.errors import check_choice
from arm_jax.evaluation import Predictions
from arm_jax.reports import valuation as valuation_report
from arm_jax.studies.finished import load_run
from arm_jax.valuation import (
    conditional_contributions,
    expected_conditional_contributions,
    expected_joint_contribution,
    joint_contribution,
)


def valuate(workdir: str | Path, split: str = "test") -> dict[str, np.ndarray]:
    """Values every sample of `split` under the last state of a finished run.

    The values are written before the figure.

    Raises:
      InputError: See `load_run`; or an unknown split.
    """
    check_choice("split", split, SPLITS)
    workdir = Path(workdir).expanduser()
    run, variables = load_run(workdir)
    predictions = run.predict(variables, split)
    values = [_of_run(p, run.dataset.log_prior) for p in predictions]
    arrays = {
        name: np.stack([v[name] for v in values]).astype(np.float32)
        for name in values[0]
    }
    first = predictions[0]
    arrays |= {
        "id": first.id,
        "label": _in_unit(first.label, run.dataset),
        "modalities": np.asarray(run.model.modalities),
    }
    if first.present is not None:
        arrays["present"] = first.present
    file = workdir / f"valuation_{split}.npz"
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    drawn = valuation_report.draw(
        workdir / "figures" / f"valuation_{split}.svg", arrays
    )
    whole = valuation_report.html(arrays, split, workdir, drawn)
    (workdir / f"valuation_{split}.html").write_text(whole, encoding="utf-8")
    return arrays


def _in_unit(label: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Undoes the standardisation of a number."""
    if dataset.target is None:
        return label
    return dataset.target.mean + dataset.unit * label.astype(np.float64)


def _of_run(
    predictions: Predictions, log_prior: np.ndarray
) -> dict[str, np.ndarray]:
    label: Any = predictions.label
    log_probs = predictions.log_probs
    bits = 1 / np.log(2)
    conditional: Any = conditional_contributions(log_probs, label)
    expected: Any = expected_conditional_contributions(log_probs)
    return {
        "phi_mi": np.asarray(joint_contribution(log_probs, log_prior, label))
        * bits,
        "phi_cmi": np.asarray(conditional).T * bits,
        "expected_phi_mi": np.asarray(
            expected_joint_contribution(log_probs, log_prior)
        )
        * bits,
        "expected_phi_cmi": np.asarray(expected).T * bits,
    }
