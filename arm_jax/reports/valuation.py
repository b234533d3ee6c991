"""The report on the contributions of modalities to a trained model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from arm_jax.reports import answers, page
from arm_jax.reports.pieces import COLORS, figure, fixed, markdown_table


def summary_table(values: dict[str, np.ndarray]) -> str:
    """Mean contributions over samples and seeds, and how they are spread.

    Those of a modality are of the samples that have it.
    """
    has = _present(values)
    rows = [
        _row("phi_MI, all", values["phi_mi"], values["expected_phi_mi"]),
        *(
            _row(
                f"phi_CMI, {name}",
                values["phi_cmi"][:, has[:, m], m],
                values["expected_phi_cmi"][:, has[:, m], m],
            )
            for m, name in enumerate(values["modalities"])
            if has[:, m].any()
        ),
    ]
    return markdown_table(
        ["bits", "mean", "below 0", "5 %", "median", "95 %", "label-free"],
        rows,
    )


def _present(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which modalities the samples have, bool `[n, modalities]`."""
    if "present" in values:
        return values["present"] > 0
    return np.ones(values["phi_cmi"].shape[1:], bool)


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


def draw(path: Path, values: dict[str, np.ndarray]) -> list[str]:
    """Draws the finite values; nothing if there are none.

    Args:
      path: The file of the contributions; that of their differences has
        `_gap` behind its name.
      values: See `arm_jax.studies.valuation`.

    Returns:
      The figures as lines of Markdown, relative to the folder above.
    """
    names = values["modalities"]
    phi = values["phi_cmi"].reshape(-1, len(names))
    has = np.tile(_present(values), (len(values["phi_cmi"]), 1))
    finite = np.isfinite(phi).all(axis=1)
    phi, has = phi[finite], has[finite]
    if not len(phi):
        return []
    colors = [COLORS[m % len(COLORS)] for m in range(len(names))]
    gaps = path.with_name(f"{path.stem}_gap{path.suffix}")
    with figure(path, figsize=(4.6, 3.4)) as (_, axis):
        # Values of the samples, so that bins of few samples are not empty.
        low = np.quantile(phi[has], 0.005, method="lower")
        high = np.quantile(phi[has], 0.995, method="higher")
        bins = _bins(low, high, 59)
        for m, name in enumerate(names):
            axis.hist(
                phi[has[:, m], m],
                bins=bins,
                histtype="step",
                linewidth=1.5,
                color=colors[m],
                label=name,
            )
        axis.set(
            xlabel="phi_CMI of a sample (bits)",
            ylabel="samples, all seeds",
            yscale="log",
        )
        axis.legend()
    drawn = [
        "![How many samples a modality contributes how much to, given the "
        f"others](figures/{path.name})"
    ]
    # Of the samples that have all modalities.
    phi = phi[has.all(axis=1)]
    if not len(phi):
        return [*drawn, ""]
    with figure(gaps, figsize=(4.6, 3.4)) as (_, axis):
        gap = phi.max(axis=1) - phi.min(axis=1)
        weakest = phi.argmin(axis=1)
        axis.hist(
            [gap[weakest == m] for m in range(len(names))],
            bins=_bins(0.0, np.quantile(gap, 0.995, method="higher"), 40),
            stacked=True,
            color=colors,
            label=[f"{name} weakest" for name in names],
        )
        axis.set(
            xlabel="largest less smallest phi_CMI (bits)",
            ylabel="samples, all seeds",
        )
        axis.legend()
    return [
        *drawn,
        f"![How unequal contributions are, which re-sampling looks "
        f"at](figures/{gaps.name})",
        "",
    ]


def html(
    values: dict[str, np.ndarray], split: str, folder: Path, drawn: list[str]
) -> str:
    """The report as one page.

    Args:
      values: See `arm_jax.studies.valuation`.
      split: Whose samples they are.
      folder: Where the figures are.
      drawn: What `draw` returned.
    """
    lines = [
        f"# What each modality contributes: {split}",
        "",
        "phi_MI is what all modalities say of a sample's label, phi_CMI what "
        "one adds to the others, in bits; below 0 it misleads. Label-free: "
        "what the model itself expects of them."
        + (
            " All are sums over the labels that a sample has at once."
            if values["label"].ndim > 1
            else ""
        )
        + (
            " What is of a modality is of the samples that have it."
            if "present" in values
            else ""
        ),
        "",
        summary_table(values),
        "",
        *drawn,
    ]
    names = [str(name) for name in values["modalities"]]
    mean = dict(zip(names, _means(values), strict=True))
    return page.of_markdown(
        "\n".join(lines),
        folder,
        [answers.of_contributions(mean)],
        bars(mean),
    )


def bars(mean: Mapping[str, float]) -> str:
    """Returns bars of mean contributions, as HTML."""
    rows = [
        page.Bar(name, [("", value, 0)], f"{fixed(value, 2)} bits")
        for name, value in mean.items()
    ]
    return page.bars(
        rows,
        max([*mean.values(), 1e-9]),
        "What each modality adds to what the others say of the label (phi_CMI, "
        "mean over samples).",
        legend=False,
    )


def _means(values: Mapping[str, np.ndarray]) -> list[float]:
    """Of each modality, over the samples whose values are finite."""
    x = values["phi_cmi"]
    has = np.isfinite(x).all(axis=-1, keepdims=True) & _present(values)
    total = np.where(has, x, 0).sum(axis=(0, 1), dtype=np.float64)
    return (total / np.maximum(has.sum(axis=(0, 1)), 1)).tolist()


def _bins(low: float, high: float, count: int) -> np.ndarray:
    """Edges of `count` bins; around the one value of what is constant."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, count + 1)
