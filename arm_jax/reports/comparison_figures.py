"""The figures of a comparison of methods, and the curves that they show."""

import functools
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.analysis import bridge
from arm_jax.reports.pieces import COLORS, figure
from arm_jax.reports.scores import word
from arm_jax.workdir import JsonLines

# Colours repeat after eight: dashes and marks then differ.
_DASHES = ("-", "--", ":", "-.")
_MARKS = ("o", "s", "^", "D")
# Accuracies in % of each run, by label and key of the scores.
Accuracies = Mapping[str, Mapping[str, np.ndarray]]


def by_variant(
    found: Mapping[str, np.ndarray], variants: Sequence[str]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Fused, and the modality that is best alone, of each variant's runs.

    Args:
      found: Accuracies of each run, by key of the scores.
      variants: The variant of each run.
    """
    fused, best = [], []
    for variant in dict.fromkeys(variants):
        runs = np.asarray(variants) == variant
        alone = [x[runs] for key, x in found.items() if key != "accuracy"]
        fused.append(found["accuracy"][runs])
        # Of a modality that no example has the accuracy is NaN.
        best.append(max(alone, key=lambda x: np.nan_to_num(np.mean(x), nan=-1)))
    return fused, best


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


def draw(
    folder: Path,
    group: str,
    curves: Mapping[str, Curves],
    first: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """Draws the figures of one group; returns their files and captions."""
    modalities = first["modalities"]
    prefix = slug(group)
    path = folder / "figures"
    made = []

    def draw(name: str, caption: str, ylabel: str, of: Any) -> None:
        file = f"{prefix}_{name}.svg"
        with _with_legend(path / file, len(curves)) as axis:
            _bands(axis, curves, of)
            axis.set(xlabel="epoch", ylabel=_wrapped(ylabel))
        made.append((file, caption))

    dominant, measure = _dominant(curves, modalities), word(first)
    if dominant is not None:
        draw(
            "dominant",
            f"Validation {measure} of the dominant modality ({dominant}) alone",
            f"{dominant} alone, validation {measure}",
            lambda c: c.get("validation", f"accuracy_{dominant}"),
        )
    draw(
        "gap",
        "Contribution gap: largest less smallest mean phi_CMI on validation",
        "gap of mean phi_CMI (bits)",
        lambda c: _gap(c, modalities),
    )
    draw(
        "joint_contribution",
        "Mean joint contribution phi_MI of the training samples",
        "mean phi_MI, training (bits)",
        lambda c: c.get("train", "phi_mi"),
    )
    if _balanced_loss(path / f"{prefix}_balanced_loss.svg", curves):
        made.append(
            (
                f"{prefix}_balanced_loss.svg",
                "The balanced loss, one line per seed",
            )
        )
    if len(modalities) == 2:
        made += _bridge(path, prefix, curves, modalities)
    return made


def _wrapped(words: str) -> str:
    """Returns what an axis of these figures is labelled with, on its lines."""
    return textwrap.fill(words, 38)


def slug(group: str) -> str:
    """Returns the beginning of the names of a group's files."""
    return re.sub(r"[^\w.-]+", "_", group).lower()


@contextmanager
def _with_legend(path: Path, number: int) -> Iterator[Any]:
    """Yields axes with a legend of `number` methods below: there may be 31."""
    size = (4.6, 3.1 + 0.14 * math.ceil(number / 3))
    with figure(path, figsize=size) as (fig, axis):
        yield axis
        fig.legend(
            *axis.get_legend_handles_labels(), fontsize=7, ncols=3,
            loc="outside lower center",
        )  # fmt: skip


def draw_variants(
    folder: Path,
    prefix: str,
    accuracies: Accuracies,
    variants: Sequence[str],
    measure: str = "accuracy",
) -> list[tuple[str, str]]:
    """Means and deviations over seeds, methods side by side.

    Args:
      folder: Folder of the figures.
      prefix: Beginning of their names.
      accuracies: By label.
      variants: The variant of each run.
      measure: What accuracy is called.

    Returns:
      The figures' files and captions.
    """
    names = list(dict.fromkeys(variants))
    panels = {
        "variants": (f"fused {measure} (%)", f"Fused {measure} by variant"),
        "variants_over": (
            "less the best modality alone (points)",
            f"What the fused {measure} is above the best modality alone, by "
            "variant",
        ),
    }
    made = []
    for panel, (ylabel, caption) in panels.items():
        file = f"{prefix}_{panel}.svg"
        with _with_legend(folder / file, len(accuracies)) as axis:
            for number, (label, found) in enumerate(accuracies.items()):
                values, best = by_variant(found, variants)
                if panel == "variants_over":
                    values = [f - b for f, b in zip(values, best, strict=True)]
                shift = 0.8 * ((number + 0.5) / len(accuracies) - 0.5)
                axis.errorbar(
                    np.arange(len(names)) + shift,
                    [x.mean() for x in values],
                    [x.std(ddof=min(1, len(x) - 1)) for x in values],
                    fmt=_MARKS[number // len(COLORS) % len(_MARKS)],
                    markersize=4,
                    color=COLORS[number % len(COLORS)],
                    label=label,
                )
            axis.set_xticks(range(len(names)), names)
            axis.set_ylabel(ylabel)
            if panel == "variants_over":
                axis.axhline(0, color="0.6", linewidth=0.8)
        made.append((file, caption))
    return made


def _bands(axis: Any, curves: Mapping[str, Curves], of: Any) -> None:
    """The band of each label for which `of` its curves has any epochs."""
    for number, (label, curve) in enumerate(curves.items()):
        epochs, values = of(curve)
        if len(epochs):
            _band(axis, epochs, values, label, number, len(curves))


def _band(
    axis: Any,
    epochs: np.ndarray,
    values: np.ndarray,
    label: str,
    number: int,
    of: int,
) -> None:
    """A line at the mean over seeds in a band of their range, of few lines."""
    color = COLORS[number % len(COLORS)]
    style = _DASHES[number // len(COLORS) % len(_DASHES)]
    axis.plot(epochs, values.mean(axis=1), style, label=label, color=color)
    if of > len(COLORS):
        # So many bands hide the lines.
        return
    axis.fill_between(
        epochs,
        values.min(axis=1),
        values.max(axis=1),
        color=color,
        alpha=0.1,
        linewidth=0,
    )


def _dominant(
    curves: Mapping[str, Curves], modalities: Sequence[str]
) -> str | None:
    """The modality that is best alone at the end of the first run.

    None if validation has none of them, in no example.
    """
    curve = next(iter(curves.values()))
    found = {m: curve.get("validation", f"accuracy_{m}")[1] for m in modalities}
    last = {m: values[-1].mean() for m, values in found.items() if len(values)}
    return max(last, key=lambda m: last[m], default=None)


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
    with _with_legend(path, len(found)) as axis:
        for number, (label, (epochs, values)) in enumerate(found.items()):
            lines = axis.plot(
                epochs, values, color=COLORS[number % len(COLORS)], alpha=0.7
            )
            lines[0].set_label(label)
        axis.set(xlabel="epoch", ylabel="balanced loss, training (nats)")
    return True


def _bridge(
    folder: Path,
    prefix: str,
    curves: Mapping[str, Curves],
    modalities: Sequence[str],
) -> list[tuple[str, str]]:
    first, second = modalities
    titles = {
        "redundancy": "redundancy",
        "unique1": f"information unique to {first}",
        "unique2": f"information unique to {second}",
        "synergy": "synergy",
    }
    made = []
    for term in bridge.TERMS:
        file = f"{prefix}_bridge_{term}.svg"
        name = bridge.key(term, first, second)
        # Of several labels there are none.
        if not any(len(c.get("validation", name)[0]) for c in curves.values()):
            continue
        with _with_legend(folder / file, len(curves)) as axis:
            _bands(axis, curves, lambda c, n=name: c.get("validation", n))
            ylabel = _wrapped(f"{titles[term]} (bits)")
            axis.set(xlabel="epoch", ylabel=ylabel)
        made.append(
            (file, f"Where training moves the {titles[term]} of predictions, "
             "on validation")
        )  # fmt: skip
    return made
