"""Tables and figures of a comparison of methods."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from arm_jax.analysis import bridge
from arm_jax.reports.pieces import (
    COLORS,
    figure,
    fixed,
    markdown_table,
    mean_and_sd,
    percent,
)
from arm_jax.reports.training import accuracy_keys
from arm_jax.workdir import JsonLines

Results = Mapping[str, Mapping[str, Any]]
# Accuracies in % of each run, by label and key of the scores.
Accuracies = Mapping[str, Mapping[str, np.ndarray]]
# What a report can be on.
SPLITS = ("test", "validation")
# The method that trains every modality alone.
_ALONE = "unimodal"


def write(
    folder: Path,
    split: str,
    groups: Sequence[tuple[str, Sequence[str]]],
    results: Results,
    curves: Mapping[str, "Curves"],
) -> None:
    """Writes table.md and the figures for the runs that are in `results`.

    On "validation" the test split has no part in them.
    """
    first = next(iter(results.values()))
    lines = [
        f"# Methods on {first['dataset']}",
        "",
        _introduction(split, first),
    ]
    told: set[str] = set()
    for group, labels in groups:
        done = [label for label in labels if label in results]
        # A row that stands above compares nothing by itself.
        if not done or (len(done) == 1 and told.issuperset(done)):
            continue
        told.update(done)
        lines += _section(
            folder,
            split,
            group,
            {label: results[label] for label in done},
            {label: curves[label] for label in done},
        )
    (folder / "table.md").write_text("\n".join(lines), encoding="utf-8")


def _introduction(split: str, first: Mapping[str, Any]) -> str:
    """What the tables are on, and what their columns are."""
    examples = f"{first['examples'][split]} examples"
    count = len(set(_variants_of(first)))
    if count > 1:
        examples += f" in the first of {count} variants"
    about = (
        f"{split.capitalize()} split ({examples}), mean +- sd over "
        f"{len(first['runs'])} runs, accuracies in %"
    )
    if split == "test":
        about += (
            ". `last` is the last epoch, `selected` the best one on "
            "validation; all else is at the last epoch. Shapley: share of each "
            "modality in the accuracy, in points."
        )
    else:
        about += " at the last epoch. The test split has no part in this."
    return (
        f"{about} The difference is that of the fused accuracy to the first "
        "row, paired by run, with its 95 % interval (Student's t)."
    )


def _section(
    folder: Path,
    split: str,
    group: str,
    results: Results,
    curves: Mapping[str, "Curves"],
) -> list[str]:
    """The lines of one group's tables and figures, which it draws."""
    first = next(iter(results.values()))
    if split == "test":
        accuracies = {k: _tested(found) for k, found in results.items()}
        scores = table(results)
    else:
        accuracies = {
            k: _validated(curves[k], found) for k, found in results.items()
        }
        scores = accuracy_table(accuracies)
    lines = ["", f"## {group}", "", scores, ""]
    if _ALONE in results:
        lines += [
            "Each modality alone, less what it reaches when it is trained "
            "alone (paired, 95 % interval):",
            "",
            alone_table(accuracies),
            "",
        ]
    variants = _variants_of(first)
    if len(set(variants)) > 1:
        file = f"{_slug(group)}_variants.png"
        _draw_variants(folder / "figures" / file, accuracies, variants)
        lines += [
            "By variant, fused and (in parentheses) the best modality alone:",
            "",
            variants_table(accuracies, variants),
            "",
            "![Fused accuracy, and what it is above the best modality alone, "
            f"by variant](figures/{file})",
            "",
        ]
    empty = [
        label
        for label, curve in curves.items()
        if not len(curve.get("validation", "accuracy")[0])
    ]
    if empty:
        # Their table is from the results, which need no lines of metrics.
        names = ", ".join(empty)
        lines += [f"Without figures: no validation lines of {names}.", ""]
        return lines
    for name, caption in _figures(folder, group, curves, first):
        lines += [f"![{caption}](figures/{name})", ""]
    return lines


def table(results: Results) -> str:
    """One row a run; the first one is what the others are compared with."""
    first = next(iter(results.values()))
    modalities = first["modalities"]
    alone = [f"accuracy_{m}" for m in modalities]
    baseline = percent(first, "accuracy")
    rows: list[list[str]] = []
    for label, found in results.items():
        scores: list[np.ndarray] = [
            percent(found, "accuracy"),
            percent(found, "accuracy", "selected"),
            *(percent(found, key) for key in alone),
            percent(found, "macro_f1"),
            *(shares(found, m) for m in modalities),
        ]
        gain = difference(scores[0], baseline) if rows else ""
        rows.append([label, *map(mean_and_sd, scores), gain])
    return markdown_table(
        [
            "method",
            "last",
            "selected",
            *(f"{m} alone" for m in modalities),
            "macro-F1",
            *(f"Shapley {m}" for m in modalities),
            "difference",
        ],
        rows,
    )


def accuracy_table(accuracies: Accuracies) -> str:
    """One row a run: fused, each modality alone, difference to the first."""
    baseline = next(iter(accuracies.values()))
    rows: list[list[str]] = []
    for label, found in accuracies.items():
        fused = found["accuracy"]
        gain = difference(fused, baseline["accuracy"]) if rows else ""
        rows.append([label, *map(mean_and_sd, found.values()), gain])
    alone = [f"{m} alone" for m in _modalities(baseline)]
    return markdown_table(["method", "fused", *alone, "difference"], rows)


def alone_table(accuracies: Accuracies) -> str:
    """How far each modality alone is from being trained alone."""
    best = accuracies[_ALONE]
    rows = []
    for label, found in accuracies.items():
        if label == _ALONE:
            continue
        gains = [
            difference(found[key], best[key])
            for key in best
            if key != "accuracy"
        ]
        rows.append([label, *gains])
    return markdown_table(["method", *_modalities(best)], rows)


def variants_table(accuracies: Accuracies, variants: Sequence[str]) -> str:
    """One row a run: fused and the best modality alone, by variant."""
    names = list(dict.fromkeys(variants))
    rows = []
    for label, found in accuracies.items():
        fused, best = _by_variant(found, variants)
        cells = [
            f"{fixed(f.mean(), 1)} ({fixed(b.mean(), 1)})"
            for f, b in zip(fused, best, strict=True)
        ]
        rows.append([label, *cells])
    return markdown_table(["method", *names], rows)


def _variants_of(found: Mapping[str, Any]) -> list[str]:
    """The variant of each run."""
    return [run["variant"] for run in found["runs"]]


def _tested(found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {key: percent(found, key) for key in accuracy_keys(found).values()}


def _validated(
    curves: "Curves", found: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Of the last epoch; NaN if the lines of metrics have none."""
    accuracies = {}
    for key in accuracy_keys(found).values():
        _, values = curves.get("validation", key)
        last = (
            values[-1] if len(values) else np.full(len(found["runs"]), np.nan)
        )
        accuracies[key] = 100 * last
    return accuracies


def _modalities(found: Mapping[str, np.ndarray]) -> list[str]:
    return [k.removeprefix("accuracy_") for k in found if k != "accuracy"]


def _by_variant(
    found: Mapping[str, np.ndarray], variants: Sequence[str]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Fused, and the modality that is best alone, of each variant's runs."""
    fused, best = [], []
    for variant in dict.fromkeys(variants):
        runs = np.asarray(variants) == variant
        alone = [x[runs] for key, x in found.items() if key != "accuracy"]
        fused.append(found["accuracy"][runs])
        best.append(max(alone, key=np.mean))
    return fused, best


def shares(found: Mapping[str, Any], modality: str) -> np.ndarray:
    """Shapley value of a modality in the accuracy, in points, of each run."""
    values = [run["shapley"][modality] for run in found["runs"]]
    return 100 * np.asarray(values, float)


def difference(accuracy: np.ndarray, baseline: np.ndarray) -> str:
    """Mean paired difference and its 95 % interval, as text."""
    if len(accuracy) != len(baseline):
        return "not paired"
    gains = accuracy - baseline
    mean = gains.mean()
    if len(gains) < 2:
        return fixed(mean, 1, plus=True)
    half = stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)
    middle, low, high = (
        fixed(x, 1, plus=True) for x in (mean, mean - half, mean + half)
    )
    return f"{middle} [{low}, {high}]"


class Curves:
    """The lines of metrics of all runs of a label, as curves over epochs.

    Over epochs and not steps, because variants may differ in their number of
    steps, and methods in how many an epoch has.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        # The last step of each epoch, and the lines, of each run.
        self._runs: list[tuple[list[int], list[dict[str, Any]]]] = []
        for path in paths:
            records = JsonLines(path).read()
            ends = sorted(
                {r["step"] for r in records if r["split"] == "validation"}
            )
            for seed in dict.fromkeys(r["seed"] for r in records):
                lines = [r for r in records if r["seed"] == seed]
                self._runs.append((ends, lines))

    def get(self, split: str, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns epochs `[t]` and values `[t, runs]`; empty if not logged.

        The lines of an epoch are averaged, each over the steps it is about.
        """
        totals = []
        for ends, lines in self._runs:
            total, steps = np.zeros((2, len(ends)))
            last = 0
            for line in lines:
                if line["split"] != split:
                    continue
                epoch = np.searchsorted(ends, line["step"])
                if epoch < len(ends) and line.get(key) is not None:
                    total[epoch] += (line["step"] - last) * line[key]
                    steps[epoch] += line["step"] - last
                last = line["step"]
            totals.append((total, steps))
        if not totals:
            return np.zeros(0, int), np.zeros((0, 0))
        shortest = min(len(t) for t, _ in totals)
        total = np.array([t[:shortest] for t, _ in totals]).T
        steps = np.array([s[:shortest] for _, s in totals]).T
        whole = (steps > 0).all(axis=1)
        return 1 + np.flatnonzero(whole), total[whole] / steps[whole]


def _figures(
    folder: Path,
    group: str,
    curves: Mapping[str, Curves],
    first: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """Draws the figures of one group; returns their files and captions."""
    modalities = first["modalities"]
    slug = _slug(group)
    path = folder / "figures"
    made = []

    def draw(name: str, caption: str, ylabel: str, of: Any) -> None:
        file = f"{slug}_{name}.png"
        with figure(path / file, figsize=(6.8, 3.8)) as (_, axis):
            _bands(axis, curves, of)
            axis.set(xlabel="epoch", ylabel=ylabel)
            _legend(axis)
        made.append((file, caption))

    dominant = _dominant(curves, modalities)
    draw(
        "dominant",
        f"Validation accuracy of the dominant modality ({dominant}) alone",
        f"{dominant} alone, validation accuracy",
        lambda c: c.get("validation", f"accuracy_{dominant}"),
    )
    draw(
        "gap",
        "Contribution gap: largest less smallest mean phi_CMI on validation",
        r"gap of mean $\phi^{CMI}$ (bits)",
        lambda c: _gap(c, modalities),
    )
    draw(
        "joint_contribution",
        "Mean joint contribution phi_MI of the training samples",
        r"mean $\phi^{MI}$, training (bits)",
        lambda c: c.get("train", "phi_mi"),
    )
    if _balanced_loss(path / f"{slug}_balanced_loss.png", curves):
        made.append(
            (
                f"{slug}_balanced_loss.png",
                "The balanced loss, one line a seed",
            )
        )
    if len(modalities) == 2:
        _bridge(path / f"{slug}_bridge.png", curves, modalities)
        made.append(
            (
                f"{slug}_bridge.png",
                "Where training moves redundancy, unique information and "
                "synergy of the predictions, on validation",
            )
        )
    return made


def _slug(group: str) -> str:
    return re.sub(r"[^\w.-]+", "_", group).lower()


def _legend(axis: Any) -> None:
    """To the right of the axes: there may be ten methods."""
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_variants(
    path: Path, accuracies: Accuracies, variants: Sequence[str]
) -> None:
    """Means and deviations over seeds, methods side by side."""
    names = list(dict.fromkeys(variants))
    with figure(path, ncols=2, figsize=(10.5, 3.8)) as (_, axes):
        for number, (label, found) in enumerate(accuracies.items()):
            fused, best = _by_variant(found, variants)
            over = [f - b for f, b in zip(fused, best, strict=True)]
            at = np.arange(len(names)) + 0.8 * (
                (number + 0.5) / len(accuracies) - 0.5
            )
            color = COLORS[number % len(COLORS)]
            mark = ("o", "s", "^")[number // len(COLORS) % 3]
            for axis, values in zip(axes, (fused, over), strict=True):
                axis.errorbar(
                    at,
                    [x.mean() for x in values],
                    [x.std(ddof=min(1, len(x) - 1)) for x in values],
                    fmt=mark,
                    markersize=4,
                    color=color,
                    label=label,
                )
        for axis in axes:
            axis.set_xticks(range(len(names)), names)
        axes[0].set_ylabel("fused accuracy (%)")
        axes[1].set_ylabel("less the best modality alone (points)")
        axes[1].axhline(0, color="0.6", linewidth=0.8)
        _legend(axes[1])


def _bands(axis: Any, curves: Mapping[str, Curves], of: Any) -> None:
    """The band of each label for which `of` its curves has any epochs."""
    for number, (label, curve) in enumerate(curves.items()):
        epochs, values = of(curve)
        if len(epochs):
            _band(axis, epochs, values, label, number)


def _band(
    axis: Any, epochs: np.ndarray, values: np.ndarray, label: str, number: int
) -> None:
    """A line at the mean over seeds in a band of their range."""
    color = COLORS[number % len(COLORS)]
    # Colours repeat after eight; the dashes then differ.
    style = ("-", "--", ":")[number // len(COLORS) % 3]
    axis.plot(epochs, values.mean(axis=1), style, label=label, color=color)
    axis.fill_between(
        epochs,
        values.min(axis=1),
        values.max(axis=1),
        color=color,
        alpha=0.1,
        linewidth=0,
    )


def _dominant(curves: Mapping[str, Curves], modalities: Sequence[str]) -> str:
    """The modality that is best alone at the end of the first run."""
    curve = next(iter(curves.values()))
    return max(
        modalities,
        key=lambda m: curve.get("validation", f"accuracy_{m}")[1][-1].mean(),
    )


def _gap(
    curve: Curves, modalities: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Over the epochs in which all modalities have a finite contribution."""
    found = [curve.get("validation", f"phi_cmi_{m}") for m in modalities]
    common = functools.reduce(np.intersect1d, [epochs for epochs, _ in found])
    values = np.stack([x[np.isin(epochs, common)] for epochs, x in found])
    return common, values.max(axis=0) - values.min(axis=0)


def _balanced_loss(path: Path, curves: Mapping[str, Curves]) -> bool:
    found = {
        label: curve.get("train", "contribution_gap")
        for label, curve in curves.items()
    }
    found = {label: x for label, x in found.items() if len(x[0])}
    if not found:
        return False
    with figure(path, figsize=(6.8, 3.8)) as (_, axis):
        for number, (label, (epochs, values)) in enumerate(found.items()):
            lines = axis.plot(
                epochs, values, color=COLORS[number % len(COLORS)], alpha=0.7
            )
            lines[0].set_label(label)
        axis.set(xlabel="epoch", ylabel="balanced loss, training (nats)")
        _legend(axis)
    return True


def _bridge(
    path: Path, curves: Mapping[str, Curves], modalities: Sequence[str]
) -> None:
    first, second = modalities
    titles = {
        "redundancy": "redundancy",
        "unique1": f"unique to {first}",
        "unique2": f"unique to {second}",
        "synergy": "synergy",
    }
    with figure(path, ncols=4, figsize=(13, 3.4), sharex=True) as (_, axes):
        for axis, term in zip(axes, bridge.TERMS, strict=True):
            name = bridge.key(term, first, second)
            _bands(axis, curves, lambda c, n=name: c.get("validation", n))
            axis.set(xlabel="epoch", title=titles[term])
        axes[0].set_ylabel("information about the label (bits)")
        _legend(axes[-1])
