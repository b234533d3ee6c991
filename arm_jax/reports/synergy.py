"""The report on a study of the synergy's bounds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports.pieces import figure, markdown_table

LOWER = (
    "redundancy", "chernoff", "bhattacharyya", "disagreement",
    "paper_disagreement",
)  # fmt: skip
UPPER = (
    "majorization", "released", "conditional", "chord", "envelope", "exact",
)  # fmt: skip
# What the paper's released code calls lower bounds, see docs/synergy.md.
RELEASED = (
    "released_redundancy", "released_difference", "released_unique1",
    "released_unique2",
)  # fmt: skip
# Differences below this, beyond the proven error, are no violations: the
# truth is itself computed in floating point.
ROUNDING = 1e-9
_MOST_POINTS = 3000


def write(
    folder: Path, config: Mapping[str, Any], records: list[dict[str, Any]]
) -> str:
    """Writes report.md and the figures; returns the report."""
    values = {
        name: np.concatenate([r["values"][name] for r in records])
        for name in records[0]["values"]
    }
    count = len(values["synergy"])
    seconds = sum(r["seconds"] for r in records)
    draw = _draw_logic if config["kind"] == "logic" else _draw_random
    draw(folder / "figures", config, values)
    what = (
        "logic gates of two fair bits, the label flipped with probability "
        f"{', '.join(map(str, config['noise']))}"
        if config["kind"] == "logic"
        else f"random tables {'x'.join(map(str, config['shape']))}, Dirichlet "
        f"({config['concentration']})"
    )
    lines = [
        "# Synergy without multimodal labels",
        "",
        f"{count} {what}; mean true synergy "
        f"{values['synergy'].mean():.4f} bits. All bounds together took "
        f"{seconds:.1f} s, {1e3 * seconds / count:.3g} ms per table, "
        "compilation included.",
        "",
        "A violation is a bound on the wrong side of the truth by more than "
        "the truth's proven error.",
        "",
        bounds_table(records, values),
        "",
        "## Intervals",
        "",
        intervals_table(values),
        "",
        "`achieved` is the synergy of a joint that fits the marginals: at "
        "most upper - achieved, in the mean "
        f"{np.mean(values['upper'] - values['achieved']):.2g} bits, is left "
        "to gain.",
        "",
    ]
    for path in sorted((folder / "figures").glob("*.svg")):
        lines += [f"![{path.stem}](figures/{path.name})", ""]
    report = "\n".join(lines)
    (folder / "report.md").write_text(report, encoding="utf-8")
    return report


def bounds_table(
    records: list[dict[str, Any]], values: Mapping[str, np.ndarray]
) -> str:
    """Mean, share above zero and violations of every bound."""
    rows = []
    for name in (*LOWER, *RELEASED, *UPPER):
        if name not in values:
            continue
        side = "upper" if name in UPPER else "lower"
        worst = max(r["worst"][name] for r in records)
        rows.append(
            [
                name,
                side,
                f"{values[name].mean():.4f}",
                f"{100 * (values[name] > 1e-6).mean():.1f}",
                sum(r["violations"][name] for r in records),
                f"{worst:.3f}" if worst > ROUNDING else "0",
            ]
        )
    header = ["bound", "side", "mean", "positive %", "violations", "worst"]
    return markdown_table(header, rows)


def intervals_table(values: Mapping[str, np.ndarray]) -> str:
    """Mean widths of the released code's valid bounds and of ours."""
    released = np.maximum(values["released_redundancy"], 0)
    pairs = {
        "released code, valid part": (released, values["released"]),
        "linear programs": (values["lower"], values["envelope"]),
        "best": (values["lower"], values["upper"]),
    }
    rows = [
        [name, *(f"{x.mean():.4f}" for x in (low, high, high - low))]
        for name, (low, high) in pairs.items()
    ]
    return markdown_table(["interval", "lower", "upper", "width"], rows)


def _draw_random(
    folder: Path, config: Mapping[str, Any], values: Mapping[str, np.ndarray]
) -> None:
    some = slice(_MOST_POINTS)
    panels = {
        "lower": ("redundancy", "chernoff", "paper_disagreement",
                  "released_difference"),
        "upper": ("majorization", "released", "chord", "upper"),
    }  # fmt: skip
    truth = values["synergy"][some]
    for side, names in panels.items():
        with figure(
            folder / f"{side}_bounds.svg", ncols=4, figsize=(12, 3.3),
            sharex=True, sharey=True,
        ) as (_, axes):  # fmt: skip
            for axis, name in zip(axes, names, strict=True):
                value = values[name][some]
                wrong = value > truth if side == "lower" else value < truth
                wrong &= np.abs(value - truth) > 2e-6
                axis.scatter(truth, value, s=3, alpha=0.4, linewidths=0)
                axis.scatter(
                    truth[wrong], value[wrong], s=6, color="#D55E00",
                    linewidths=0, label="violated",
                )  # fmt: skip
                ends = (0, float(truth.max()))
                axis.plot(ends, ends, color="black", linewidth=1)
                title = "best" if name == "upper" else name.replace("_", " ")
                axis.set(title=title, xlabel="true synergy (bits)")
                if wrong.any():
                    axis.legend(loc="upper left")
            axes[0].set_ylabel(f"{side} bound (bits)")


def _draw_logic(
    folder: Path, config: Mapping[str, Any], values: Mapping[str, np.ndarray]
) -> None:
    noise = config["noise"]
    with figure(
        folder / "gates.svg", ncols=len(config["gates"]), squeeze=False,
        figsize=(3.8 * len(config["gates"]), 3.3), sharey=True,
    ) as (_, axes):  # fmt: skip
        for number, name in enumerate(config["gates"]):
            axis = axes[0, number]
            of = slice(number * len(noise), (number + 1) * len(noise))
            axis.fill_between(
                noise, values["lower"][of], values["upper"][of], alpha=0.2,
                linewidth=0, label="proven interval",
            )  # fmt: skip
            axis.plot(noise, values["synergy"][of], "k", label="true")
            for bound, style in (("released", ":"), ("chernoff", "--")):
                axis.plot(noise, values[bound][of], style, label=bound)
            axis.set(title=name, xlabel="label noise", ylim=(0, None))
        axes[0, 0].set_ylabel("synergy (bits)")
        axes[0, -1].legend()
