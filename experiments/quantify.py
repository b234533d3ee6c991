r"""Quantifies the interactions of a data set's modalities, with error bars.

    python -m experiments.quantify --config=configs/quantify_watch.py \
        --workdir=runs/quantify_watch

The workdir holds config.json, versions.json, results.json, report.md and
report.html, one file that needs no network. Nothing is written before all of
it is there; the same command again prints what is there.
"""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from arm_jax import data
from arm_jax.config import from_mapping
from arm_jax.data import Dataset, Split
from arm_jax.errors import InputError, check_choice
from arm_jax.workdir import open_workdir, read_json, to_json, write_json
from bounds import decisions, discretize, samples
from bounds.quantify import (
    Interactions,
    Labelled,
    Predictions,
    Range,
    Unimodal,
    convergence,
    enough,
    quantify,
)
from experiments import cli, quantify_report, unimodal
from experiments.report import markdown_table

DISCRETIZERS = ("posteriors", "kmeans", "quantiles")
# The labelled pairs as they are; or, for each modality, the labels of its own
# half of the units, and all pairs without labels.
KNOWLEDGE = ("labelled", "unimodal")
SEPARATOR = " + "
# Clusters of classifier outputs where no label is counted.
_OUTPUT_BINS = 10


@dataclasses.dataclass(frozen=True)
class SymbolsConfig:
    """How a modality becomes symbols."""

    kind: str = "posteriors"
    # Symbols a modality; 0 for the most that the samples can carry.
    number: int = 0
    # Largest number that is tried, and shown in the sensitivity.
    most: int = 20
    sensitivity: tuple[int, ...] = (2, 4, 8, 16)


@dataclasses.dataclass(frozen=True)
class ModelsConfig:
    """The classifiers that give posteriors and yardsticks."""

    # Inverse strength of the logistic regressions' regularisation.
    strength: float = 0.1
    components: int = 50
    # Modalities that are series, described by experiments.unimodal.summary.
    series: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ResamplingConfig:
    """Resampling."""

    replicates: int = 1000
    permutations: int = 200
    # Of the synergy interval, which costs more.
    interval_replicates: int = 100
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Config:
    """One report."""

    # name: the data set; all else are its options.
    data: Mapping[str, Any]
    # Modalities to take, all if empty.
    modalities: tuple[str, ...] = ()
    # Cross-fit on all splits together with so many folds; 0 fits on the
    # training split and counts on validation and test.
    folds: int = 0
    # Group of samples that are not independent; empty if all are.
    units: str = ""
    knowledge: str = "labelled"
    # Each modality against all others together.
    rest: bool = True
    # Bits below which a quantity does not matter.
    margin: float = decisions.MARGIN
    # Labelled pairs that can be paid for.
    budget: int = 1000
    symbols: SymbolsConfig = SymbolsConfig()
    models: ModelsConfig = ModelsConfig()
    resampling: ResamplingConfig = ResamplingConfig()

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for path, value, known in (
            ("symbols.kind", self.symbols.kind, DISCRETIZERS),
            ("knowledge", self.knowledge, KNOWLEDGE),
        ):
            check_choice(f"config {path}", value, known)
        for path, number, least in (
            ("budget", self.budget, 0),
            ("symbols.number", self.symbols.number, 0),
            ("symbols.most", self.symbols.most, 2),
            ("models.components", self.models.components, 1),
            ("resampling.replicates", self.resampling.replicates, 2),
            ("resampling.permutations", self.resampling.permutations, 0),
            ("resampling.interval_replicates",
             self.resampling.interval_replicates, 2),
        ):  # fmt: skip
            if number < least:
                raise InputError(
                    f"config {path} must be at least {least}, got {number}"
                )
        if self.symbols.number == 1:
            raise InputError("config symbols.number must be 0 or at least 2")
        if self.folds < 0 or self.folds == 1:
            raise InputError(
                f"config folds must be 0 or at least 2, got {self.folds}"
            )
        for path, positive in (
            ("margin", self.margin),
            ("models.strength", self.models.strength),
        ):
            if not positive > 0:
                raise InputError(
                    f"config {path} must be positive, got {positive}"
                )


def run(
    config: Mapping[str, Any], workdir: str | Path, *, progress: bool = True
) -> dict[str, Any]:
    """Writes the report of one data set into `workdir`, or reads it back.

    Args:
      config: a mapping for `Config`.
      workdir: folder of the report.
      progress: show a progress bar.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: wrong configuration, data or workdir.
    """
    checked = from_mapping(Config, config)
    finished = Path(workdir).expanduser() / "results.json"
    if finished.exists():
        open_workdir(workdir, config)
        return read_json(finished)
    try:
        results = to_json(compute(checked, progress=progress))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(error)) from error
    page = quantify_report.html(results)
    folder = open_workdir(workdir, config)
    (folder / "report.md").write_text(quantify_report.markdown(results))
    (folder / "report.html").write_text(page, encoding="utf-8")
    # Written last: its presence says that the report is finished.
    write_json(folder / "results.json", results)
    return results


def compute(config: Config, *, progress: bool = True) -> dict[str, Any]:
    """Returns all numbers of a report."""
    start = time.monotonic()
    options = dict(config.data)
    name = options.pop("name", None)
    if not name:
        raise InputError("config key 'data.name' is missing")
    dataset = data.load(name, options)
    names = config.modalities or tuple(dataset.shapes)
    for modality in names:
        if modality not in dataset.shapes:
            raise InputError(
                f"{dataset.name} has no modality '{modality}'; it has: "
                + ", ".join(dataset.shapes)
            )
    if len(names) < 2:
        raise InputError(f"{dataset.name}: two modalities or more are needed")
    rows = _rows(dataset, names, config)
    sides = _sides(names, rest=config.rest)
    alone = {s for pair in sides for s in pair}
    with tqdm(total=len(alone) + 3 * len(sides), disable=not progress) as bar:
        views = {}
        for side in sorted(alone, key=len):
            bar.set_description(f"classifier of {SEPARATOR.join(side)}")
            views[side] = _View(rows, side, config)
            bar.update()
        pairs = {}
        for first, second in sides:
            key = f"{SEPARATOR.join(first)} & {SEPARATOR.join(second)}"
            pairs[key] = _pair(
                views[first], views[second], rows, config, bar, key
            )
    plain = {k: v["interactions"] for k, v in pairs.items() if v["plain"]}
    ranking = decisions.rank(plain, budget=config.budget)
    for pair in pairs.values():
        pair["interactions"] = _interactions(pair["interactions"])
        pair["recommendation"] = pair["recommendation"]._asdict()
    return {
        "dataset": dataset.name,
        "classes": list(dataset.class_names),
        "modalities": list(names),
        "samples": len(rows.label),
        "units": config.units or None,
        "independent": None
        if rows.units is None
        else len(np.unique(rows.units)),
        "folds": config.folds,
        "knowledge": config.knowledge,
        "discretizer": config.symbols.kind,
        "resampling": dataclasses.asdict(config.resampling),
        "margin": config.margin,
        "budget": config.budget,
        "models": {
            SEPARATOR.join(side): view.scores for side, view in views.items()
        },
        "pairs": pairs,
        "ranking": [gain._asdict() for gain in ranking],
        "seconds": time.monotonic() - start,
    }


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Samples that are counted, and what classifiers may be fitted on."""

    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    units: np.ndarray | None
    classes: int
    # Training rows and counted rows of each fit; the counted ones partition
    # `counted`.
    fits: Sequence[tuple[np.ndarray, np.ndarray]]
    counted: np.ndarray


def _rows(dataset: Dataset, names: Sequence[str], config: Config) -> _Rows:
    splits = list(dataset.splits.values())
    label = np.concatenate([s.label for s in splits])
    inputs = {}
    for name in names:
        x = np.concatenate([s.inputs[name] for s in splits])
        if name in config.models.series:
            if x.ndim != 3:
                raise InputError(
                    f"{dataset.name}: '{name}' is no series, its samples have "
                    f"shape {x.shape[1:]}"
                )
            x = unimodal.summary(x)
        inputs[name] = unimodal.flat(x)
        if not (inputs[name] != inputs[name][:1]).any():
            raise InputError(f"{dataset.name}: modality '{name}' is constant")
    units = _units(dataset.name, splits, config.units)
    classes, counts = np.unique(label, return_counts=True)
    if counts.min() < 2:
        raise InputError(
            f"{dataset.name}: class {classes[counts.argmin()]} has one sample"
        )
    if config.folds:
        most = int(counts.min())
        if most < config.folds:
            raise InputError(
                f"{dataset.name}: class {classes[counts.argmin()]} has {most} "
                f"samples, fewer than {config.folds} folds"
            )
        fits = unimodal.folds_of(
            label, units, config.folds, config.resampling.seed
        )
        counted = np.arange(len(label))
    else:
        at = len(dataset.splits["train"])
        counted = np.arange(at, len(label))
        fits = [(np.arange(at), counted)]
    return _Rows(inputs, label, units, len(dataset.class_names), fits, counted)


def _units(name: str, splits: Sequence[Split], key: str) -> np.ndarray | None:
    if not key:
        return None
    if key not in splits[0].groups:
        raise InputError(
            f"{name} has no group '{key}'; it has: "
            + (", ".join(splits[0].groups) or "none")
        )
    return np.concatenate([s.groups[key] for s in splits])


def _sides(
    names: Sequence[str], *, rest: bool
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every pair, and each modality against the others if they are several."""
    sides: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        ((a,), (b,)) for a, b in itertools.combinations(names, 2)
    ]
    if rest and len(names) > 2:
        sides += [((a,), tuple(b for b in names if b != a)) for a in names]
    return sides


class _View:
    """One side of a pair: its classifier's outputs and its symbols."""

    def __init__(
        self, rows: _Rows, side: tuple[str, ...], config: Config
    ) -> None:
        self.name = SEPARATOR.join(side)
        self._kind = config.symbols.kind
        self._seed = config.resampling.seed
        count = len(rows.label)
        self._place = np.full(count, -1)
        self._place[rows.counted] = np.arange(len(rows.counted))
        first_fit, _ = rows.fits[0]
        fitted_on = rows.counted if config.folds else first_fit
        x = np.concatenate(
            [
                unimodal.Compress(
                    rows.inputs[m][fitted_on],
                    config.models.components,
                    self._seed,
                )(rows.inputs[m])
                for m in side
            ],
            axis=1,
        )
        self._x, self._fitted_on = x, fitted_on
        self.posteriors = self._predict(x, rows, config, "logistic")
        self._symbols: dict[int, np.ndarray] = {}
        self.x = x
        self.scores = {"logistic": self._score(self.posteriors, rows)}

    def _predict(
        self, x: np.ndarray, rows: _Rows, config: Config, kind: str
    ) -> np.ndarray:
        out = np.zeros((len(rows.counted), rows.classes))
        for train, test in rows.fits:
            out[self._place[test]] = unimodal.posteriors(
                x[train], rows.label[train], x[test], classes=rows.classes,
                strength=config.models.strength, kind=kind, seed=self._seed,
            )  # fmt: skip
        return out

    def _score(self, p: np.ndarray, rows: _Rows) -> dict[str, float]:
        units = None if rows.units is None else rows.units[rows.counted]
        return unimodal.accuracy(
            p, rows.label[rows.counted], units, replicates=500, seed=self._seed
        )

    def symbols(self, number: int) -> np.ndarray:
        """Symbols of the counted rows."""
        if number in self._symbols:
            return self._symbols[number]
        try:
            if self._kind == "posteriors":
                p = self.posteriors
                bins: Any = discretize.fit_posteriors(
                    p, number, seed=self._seed
                )
                found = bins(p)
            else:
                x = self._x if self._kind == "kmeans" else self._x[:, :1]
                if self._kind == "kmeans":
                    bins = discretize.fit_kmeans(
                        x[self._fitted_on], number, seed=self._seed
                    )
                else:
                    bins = discretize.fit_quantiles(x[self._fitted_on], number)
                found = bins(x[self._place >= 0])
        except ValueError as error:
            raise InputError(f"modality '{self.name}': {error}") from error
        self._symbols[number] = found
        return found


def both_scores(
    first: _View, second: _View, rows: _Rows, config: Config
) -> dict[str, dict[str, float]]:
    """Accuracies of models of both sides together, on held-out samples."""
    x = np.concatenate([first.x, second.x], axis=1)
    return {
        kind: first._score(first._predict(x, rows, config, kind), rows)
        for kind in ("logistic", "network")
    }


def _pair(
    first: _View,
    second: _View,
    rows: _Rows,
    config: Config,
    bar: tqdm,
    key: str,
) -> dict[str, Any]:
    label = rows.label[rows.counted]
    units = None if rows.units is None else rows.units[rows.counted]

    def table(number: int) -> samples.Samples:
        return samples.count(
            [first.symbols(number), second.symbols(number), label],
            (number, number, rows.classes),
            names=[first.name, second.name, "label"],
            units=units,
        )

    number = config.symbols.number or _most_symbols(table, config.symbols.most)
    bar.set_description(f"{key}: {number} symbols each")
    resampling = config.resampling
    options: dict[str, Any] = {
        "replicates": resampling.replicates,
        "permutations": resampling.permutations,
        "interval_replicates": resampling.interval_replicates,
        "seed": resampling.seed,
    }
    whole = table(number)
    found = quantify(_evidence(whole, first, second, label, units, number,
                               rows.classes, config), **options)  # fmt: skip
    bar.update()
    predicted = quantify(
        Predictions(
            first.posteriors,
            second.posteriors,
            bins=min(_OUTPUT_BINS, config.symbols.most),
            units=units,
        ),
        **options,
    )
    scores = both_scores(first, second, rows, config)
    bar.update()
    names = (first.name, second.name)
    cheaper = options | {"replicates": 200, "interval_replicates": 30,
                         "permutations": 0}  # fmt: skip
    advice = decisions.recommend(found, names, margin=config.margin)
    others = {}
    sensitivity = []
    for n in sorted({*config.symbols.sensitivity, number}):
        if n > config.symbols.most and n != number:
            continue
        bar.set_description(f"{key}: sensitivity, {n} symbols")
        one = found
        if n != number:
            if not enough(*_marginals(table(n)))[0]:
                break
            one = quantify(Labelled(table(n)), **cheaper)
            others[f"{n} symbols"] = decisions.recommend(
                one, names, margin=config.margin
            )
        sensitivity.append({"symbols": n, **_interactions(one)})
    bar.update()
    advice = decisions.unless_contradicted(advice, others)
    additive, interacting = (
        Range(scores[kind]["lower"], scores[kind]["upper"])
        for kind in ("logistic", "network")
    )
    return {
        "first": first.name,
        "second": second.name,
        "plain": SEPARATOR not in first.name + second.name,
        "symbols": number,
        "interactions": found,
        "predictions": _interactions(predicted),
        "sensitivity": sensitivity,
        "convergence": convergence(whole, seed=resampling.seed),
        "models": scores,
        "recommendation": decisions.unless_additive_does(
            advice, additive, interacting
        ),
    }


def _evidence(
    table: samples.Samples,
    first: _View,
    second: _View,
    label: np.ndarray,
    units: np.ndarray | None,
    number: int,
    classes: int,
    config: Config,
) -> Labelled | Unimodal:
    if config.knowledge == "labelled":
        return Labelled(table)
    unit = np.arange(len(label)) if units is None else units
    rng = np.random.default_rng(config.resampling.seed)
    chosen = rng.permutation(np.unique(unit))
    own = np.isin(unit, chosen[: len(chosen) // 2])

    def labelled(view: _View, rows: np.ndarray) -> samples.Samples:
        return samples.count(
            [view.symbols(number)[rows], label[rows]],
            (number, classes),
            names=[view.name, "label"],
            units=None if units is None else units[rows],
        )

    return Unimodal(
        labelled(first, own),
        labelled(second, ~own),
        samples.marginal(table, (2,)),
    )


def _marginals(table: samples.Samples) -> tuple[samples.Samples, ...]:
    return tuple(samples.marginal(table, (axis,)) for axis in (0, 1))


def _most_symbols(table: Any, most: int) -> int:
    """The most symbols at which every cell has samples enough."""
    for number in range(most, 2, -1):
        if number**2 * 2 > 10**5:
            continue
        try:
            candidate = table(number)
        except InputError:
            continue  # fewer distinct values than symbols
        if enough(candidate)[0]:
            return number
    return 2


def _interactions(found: Interactions) -> dict[str, Any]:
    out = found._asdict()
    for key in ("synergy_lower", "synergy_upper"):
        out[key] = out[key]._asdict()
    for key in (
        "synergy", "information",
        "accuracy", "accuracy_bounds", "accuracy1", "accuracy2",
    ):  # fmt: skip
        out[key] = list(out[key])
    out["estimates"] = {k: e._asdict() for k, e in found.estimates.items()}
    return out


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = cli.required(cli.WORKDIR)
    results = run(cli.config(), workdir)
    print(f"\n{markdown_table(*quantify_report.table(results))}\n")
    for pair in results["pairs"].values():
        advice = pair["recommendation"]["text"]
        print(f"{quantify_report.title(pair)}: {advice}")
    print(f"\nreport: {Path(workdir) / 'report.html'}")
    return 0


if __name__ == "__main__":
    cli.run(main)
