"""What each modality contributes to a trained model, sample by sample.

    python -m experiments.valuate --workdir=runs/watch_arm [--split=test]

Reads a finished run of experiments.train and writes, for the chosen split,
valuation_SPLIT.npz and figures/valuation_SPLIT.png into its workdir:

    id, label           [n]
    phi_mi              [seeds, n]              bits, with the true label
    phi_cmi             [seeds, n, modalities]  bits, with the true label
    expected_phi_mi     [seeds, n]              bits, without labels
    expected_phi_cmi    [seeds, n, modalities]  bits, without labels
    modalities          names, in the order of the last axis
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from arm_jax import config as config_lib
from arm_jax import loop, record
from arm_jax.data.dataset import SPLITS
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions
from arm_jax.valuation import (
    Subsets,
    conditional_contributions,
    expected_conditional_contributions,
    expected_joint_contribution,
    joint_contribution,
)
from arm_jax.workdir import read_json
from experiments import cli
from experiments.report import COLORS, figure, fixed, markdown_table

_SPLIT = flags.DEFINE_enum("split", "test", SPLITS, "Which examples.")


def valuate(workdir: Path, split: str) -> dict[str, np.ndarray]:
    """Values every sample of `split` under the last state of a finished run.

    The values are written before the figure.

    Raises:
      InputError: no run there, one that is not finished, or one that was
        trained on other data or with other random numbers.
    """
    if not (workdir / "config.json").exists():
        raise InputError(f"no run in {workdir}: it has no config.json")
    config = config_lib.from_mapping(
        config_lib.Config, read_json(workdir / "config.json")
    )
    run = loop.prepare(config)
    now = record.current(run.dataset.digest)
    record.check(workdir, now, record.ALLOWED)
    record.warn(workdir, now)
    variables = loop.last_variables(run, workdir)
    predictions = run.predict(variables, split)
    values = [_of_run(p, run.dataset.log_prior) for p in predictions]
    arrays = {
        name: np.stack([v[name] for v in values]).astype(np.float32)
        for name in values[0]
    }
    first = predictions[0]
    arrays |= {
        "id": first.id,
        "label": first.label,
        "modalities": np.asarray(run.model.modalities),
    }
    file = workdir / f"valuation_{split}.npz"
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    _draw(workdir / "figures" / f"valuation_{split}.png", arrays)
    return arrays


def summary_table(values: dict[str, np.ndarray]) -> str:
    """Mean contributions over samples and seeds, and how they are spread."""
    rows = [
        _row("phi_MI, all", values["phi_mi"], values["expected_phi_mi"]),
        *(
            _row(
                f"phi_CMI, {name}",
                values["phi_cmi"][..., m],
                values["expected_phi_cmi"][..., m],
            )
            for m, name in enumerate(values["modalities"])
        ),
    ]
    return markdown_table(
        ["bits", "mean", "below 0", "5 %", "median", "95 %", "label-free"],
        rows,
    )


def _row(name: str, x: np.ndarray, expected: np.ndarray) -> list[str]:
    quantiles = (fixed(q, 2) for q in np.quantile(x, [0.05, 0.5, 0.95]))
    below = f"{100 * (x < 0).mean():.0f} %"
    return [
        name,
        fixed(x.mean(), 2),
        below,
        *quantiles,
        fixed(expected.mean(), 2),
    ]


def _of_run(
    predictions: Predictions, log_prior: np.ndarray
) -> dict[str, np.ndarray]:
    label: Any = predictions.label
    log_probs = Subsets(
        predictions.log_probs.full,
        np.moveaxis(np.asarray(predictions.log_probs.alone), 1, 0),
        np.moveaxis(np.asarray(predictions.log_probs.without), 1, 0),
    )
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


def _draw(path: Path, values: dict[str, np.ndarray]) -> None:
    """Draws the finite values; nothing if there are none."""
    names = values["modalities"]
    phi = values["phi_cmi"].reshape(-1, len(names))
    phi = phi[np.isfinite(phi).all(axis=1)]
    if not len(phi):
        return
    colors = [COLORS[m % len(COLORS)] for m in range(len(names))]
    with figure(path, ncols=2, figsize=(9.5, 3.6)) as (_, axes):
        # Values of the samples, so that bins of few samples are not empty.
        low = np.quantile(phi, 0.005, method="lower")
        high = np.quantile(phi, 0.995, method="higher")
        bins = _bins(low, high, 59)
        for m, name in enumerate(names):
            axes[0].hist(
                phi[:, m],
                bins=bins,
                histtype="step",
                linewidth=1.5,
                color=colors[m],
                label=name,
            )
        axes[0].set(
            xlabel=r"$\phi^{CMI}$ of a sample (bits)",
            ylabel="samples, all seeds",
            yscale="log",
            title="Contribution given the others",
        )
        axes[0].legend()
        gap = phi.max(axis=1) - phi.min(axis=1)
        weakest = phi.argmin(axis=1)
        axes[1].hist(
            [gap[weakest == m] for m in range(len(names))],
            bins=_bins(0.0, np.quantile(gap, 0.995, method="higher"), 40),
            stacked=True,
            color=colors,
            label=[f"{name} weakest" for name in names],
        )
        axes[1].set(
            xlabel=r"$\max_m \phi^{CMI} - \min_m \phi^{CMI}$ (bits)",
            ylabel="samples, all seeds",
            title="What re-sampling looks at",
        )
        axes[1].legend()


def _bins(low: float, high: float, count: int) -> np.ndarray:
    """Edges of `count` bins; around the one value of what is constant."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, count + 1)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    values = valuate(workdir, _SPLIT.value)
    print(summary_table(values))
    finite = np.isfinite(values["phi_cmi"]).all(axis=-1)
    if not finite.all():
        print(
            f"\n{(~finite).sum()} of {finite.size} samples have contributions "
            "that are not finite; the figure is without them"
        )
    print(f"\nvalues: {workdir / f'valuation_{_SPLIT.value}.npz'}")
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
