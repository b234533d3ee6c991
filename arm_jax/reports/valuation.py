"""The report on the contributions of modalities to a trained model."""

from pathlib import Path

import numpy as np

from arm_jax.reports.pieces import COLORS, figure, fixed, markdown_table


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


def draw(path: Path, values: dict[str, np.ndarray]) -> None:
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
