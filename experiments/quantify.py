r"""Quantifies the interactions of a data set's modalities, with error bars.

    python -m experiments.quantify --config=configs/quantify_watch.py \
        --workdir=runs/quantify_watch

The workdir holds config.json, record.jsonl, results.json, report.md and
report.html, one file that needs no network. It is made when the data have been
checked; results.json is the first to hold a result, and the same command again
makes the reports from it.
"""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from arm_jax import data, lock, record
from arm_jax.config import from_mapping
from arm_jax.data import Dataset, Split
from arm_jax.errors import InputError, check_choice
from arm_jax.workdir import open_workdir, read_json, to_json, write_json
from bounds import inputs
from bounds.estimation import decisions, discretize, samples
from bounds.estimation.convergence import convergence
from bounds.estimation.evidence import (
    Labelled,
    Predictions,
    Unimodal,
    enough,
    verdicts,
)
from bounds.estimation.interactions import Interactions, Range
from bounds.estimation.quantify import quantify
from experiments import cli, quantify_report, unimodal
from experiments.report import markdown_table

DISCRETIZERS = ("posteriors", "kmeans", "quantiles")
# The labelled pairs as they are; or, for each modality, the labels of its own
# half of the units, and all pairs without labels.
KNOWLEDGE = ("labelled", "unimodal")
SEPARATOR = " + "
# Clusters of classifier outputs where no label is counted.
_OUTPUT_BINS = 10
# Cells of a table that is tried for the number of symbols.
_MOST_CELLS = 10**5
# Rows in which more distinct values than symbols are looked for first.
_FIRST_ROWS = 1000


@dataclasses.dataclass(frozen=True)
class SymbolsConfig:
    """How a modality becomes symbols."""

    kind: str = "posteriors"
    # Symbols of each modality, fewer if it has fewer values; 0 for the most
    # that the samples can carry.
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
        for number in self.symbols.sensitivity:
            if number < 2:
                raise InputError(
                    "config symbols.sensitivity must hold numbers of at least "
                    f"2, got {number}"
                )
        if self.folds < 0 or self.folds == 1:
            raise InputError(
                f"config folds must be 0 or at least 2, got {self.folds}"
            )
        inputs.seed("config resampling.seed", self.resampling.seed)
        inputs.real("config margin", self.margin, above=0)
        inputs.real("config models.strength", self.models.strength, above=0)


def run(
    config: Mapping[str, Any], workdir: str | Path, *, progress: bool = True
) -> dict[str, Any]:
    """Writes the report of one data set into `workdir`.

    Results that are there already are not computed again, if they are of the
    same data; the reports are made of them anew.

    Args:
      config: Mapping for `Config`.
      workdir: Folder of the report, held by a lock meanwhile.
      progress: Whether to show progress bars.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong configuration, data or workdir; a workdir in use; or
        results of other data.
    """
    checked = from_mapping(Config, config)
    with lock.hold(workdir) as folder:
        rows = prepare(checked)
        open_workdir(folder, config)
        made_with = record.current(rows.digest)
        if (folder / "results.json").exists():
            record.check(folder, made_with, record.ALLOWED)
            record.warn(folder, made_with)
            results = read_json(folder / "results.json")
        else:
            results = to_json(compute(rows, checked, progress=progress))
            # Before anything is made of them: they took the time.
            write_json(folder / "results.json", results)
            record.append(folder, "finish", made_with)
        for name, make in (
            ("report.md", quantify_report.markdown),
            ("report.html", quantify_report.html),
        ):
            (folder / name).write_text(make(results), encoding="utf-8")
        return results


def prepare(config: Config) -> "Rows":
    """Loads the data of a report and checks all that can be checked of them.

    Raises:
      InputError: What a classifier, a table or an estimate could not be made
        of, in the modalities, the labels or their division.
    """
    options = dict(config.data)
    name = options.pop("name", None)
    if not name:
        raise InputError("config key 'data.name' is missing")
    dataset = data.load(name, options)
    names = config.modalities or tuple(dataset.shapes)
    for modality in (*names, *config.models.series):
        if modality not in dataset.shapes:
            raise InputError(
                f"{dataset.name} has no modality '{modality}'; it has: "
                + ", ".join(dataset.shapes)
            )
    if len(set(names)) < max(2, len(names)):
        raise InputError(
            f"{dataset.name}: two modalities or more are needed, each once, "
            f"got {', '.join(names)}"
        )
    return _rows(dataset, names, config)


def compute(
    rows: "Rows", config: Config, *, progress: bool = True
) -> dict[str, Any]:
    """Returns all numbers of a report."""
    start = time.monotonic()
    sides = _sides(tuple(rows.inputs), rest=config.rest)
    alone = {s for pair in sides for s in pair}
    with tqdm(total=len(alone) + 3 * len(sides), disable=not progress) as bar:
        views = {}
        for side in sorted(alone, key=len):
            bar.set_description(f"classifier of {SEPARATOR.join(side)}")
            views[side] = _View(rows, side, config)
            bar.update()
        pairs, failed = {}, {}
        for first, second in sides:
            key = f"{SEPARATOR.join(first)} & {SEPARATOR.join(second)}"
            pair = _Pair(views[first], views[second], rows, config)
            try:
                pairs[key] = _measured(pair, config, bar, key)
            except InputError as error:
                # Of this pair: the others are not given up for it.
                failed[key] = str(error)
    if not pairs:
        raise InputError(next(iter(failed.values())))
    plain = {k: v["interactions"] for k, v in pairs.items() if v["plain"]}
    ranking = decisions.rank(plain, budget=config.budget)
    for found in pairs.values():
        found["interactions"] = _interactions(found["interactions"])
        found["recommendation"] = found["recommendation"]._asdict()
    return {
        "dataset": rows.dataset,
        "classes": list(rows.classes),
        "modalities": list(rows.inputs),
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
        "failed": failed,
        "ranking": [gain._asdict() for gain in ranking],
        "seconds": time.monotonic() - start,
    }


@dataclasses.dataclass(frozen=True)
class Rows:
    """Samples that are counted, and what classifiers may be fitted on."""

    dataset: str
    # Digest of all of its data.
    digest: str
    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    units: np.ndarray | None
    classes: tuple[str, ...]
    # Training rows and counted rows of each fit; the counted ones partition
    # `counted`.
    fits: Sequence[tuple[np.ndarray, np.ndarray]]
    counted: np.ndarray
    # Of the counted rows, those whose labels the first modality has, if the
    # labels of pairs are not used; the second has the others'.
    half: np.ndarray | None

    @property
    def counted_label(self) -> np.ndarray:
        """Labels of the counted rows."""
        return self.label[self.counted]

    @property
    def counted_units(self) -> np.ndarray | None:
        """Units of the counted rows."""
        return None if self.units is None else self.units[self.counted]


def _rows(dataset: Dataset, names: Sequence[str], config: Config) -> Rows:
    splits = list(dataset.splits.values())
    label = np.concatenate([s.label for s in splits])
    units = _units(dataset.name, splits, config.units)
    classes, counts = np.unique(label, return_counts=True)
    if counts.min() < 2:
        raise InputError(
            f"{dataset.name}: class {classes[counts.argmin()]} has one sample"
        )
    if config.folds:
        _check_folds(dataset.name, classes, counts, units, config.folds)
        fits = unimodal.folds_of(
            label, units, config.folds, config.resampling.seed
        )
        counted = np.arange(len(label))
    else:
        at = len(dataset.splits["train"])
        counted = np.arange(at, len(label))
        fits = [(np.arange(at), counted)]
    for number, (train, _) in enumerate(fits):
        if len(np.unique(label[train])) < 2:
            raise InputError(
                f"{dataset.name}: all samples outside fold {number} have one "
                "label: use fewer folds, or smaller units"
            )
    half = None
    if config.knowledge == "unimodal":
        half = _half(counted, units, config.resampling.seed)
    _check_labels(dataset.name, label[counted], half)
    rows = {name: _features(dataset, splits, name, config) for name in names}
    for name, x in rows.items():
        for which, where in (
            (slice(None), ""),
            (fits[0][0] if not config.folds else slice(None),
             " in the training split"),
            (counted, " in validation and test"),
        ):  # fmt: skip
            if not (x[which] != x[which][:1]).any():
                raise InputError(
                    f"{dataset.name}: modality '{name}' is constant{where}"
                )
    return Rows(
        dataset.name,
        dataset.digest, rows, label, units, dataset.class_names, fits, counted,
        half,
    )  # fmt: skip


def _features(
    dataset: Dataset, splits: Sequence[Split], name: str, config: Config
) -> np.ndarray:
    x = np.concatenate([s.inputs[name] for s in splits])
    if name in config.models.series:
        if x.ndim != 3:
            raise InputError(
                f"{dataset.name}: '{name}' is no series, its samples have "
                f"shape {x.shape[1:]}"
            )
        x = unimodal.summary(x)
    return unimodal.flat(x)


def _check_folds(
    name: str,
    classes: np.ndarray,
    counts: np.ndarray,
    units: np.ndarray | None,
    folds: int,
) -> None:
    if counts.min() < folds:
        raise InputError(
            f"{name}: class {classes[counts.argmin()]} has {counts.min()} "
            f"samples, fewer than {folds} folds"
        )
    if units is not None and len(np.unique(units)) < folds:
        raise InputError(
            f"{name}: {len(np.unique(units))} units are fewer than {folds} "
            "folds"
        )


def _check_labels(
    name: str, label: np.ndarray, half: np.ndarray | None
) -> None:
    """Checks what is counted, or each half of it."""
    parts = {"the samples that are counted": label}
    if half is not None:
        parts = {
            "the half of the first modality": label[half],
            "the half of the second modality": label[~half],
        }
    for where, part in parts.items():
        there, counts = np.unique(part, return_counts=True)
        if len(there) < 2:
            raise InputError(
                f"{name}: {where} have one label, or none: there is nothing "
                "to tell"
            )
        absent = np.setdiff1d(label, there)
        if len(absent):
            raise InputError(f"{name}: {where} lacks class {absent[0]}")
        if counts.min() < 2:
            raise InputError(
                f"{name}: {where} have one sample of class "
                f"{there[counts.argmin()]}: drop it or join it with another "
                "class"
            )


def _half(
    counted: np.ndarray, units: np.ndarray | None, seed: int
) -> np.ndarray:
    """A half of the units, as a mask of the counted rows."""
    unit = np.arange(len(counted)) if units is None else units[counted]
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.unique(unit))
    return np.isin(unit, chosen[: len(chosen) // 2])


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
        self, rows: Rows, side: tuple[str, ...], config: Config
    ) -> None:
        self.name = SEPARATOR.join(side)
        self._kind = config.symbols.kind
        self._seed = config.resampling.seed
        self._rows, self._config = rows, config
        count = len(rows.label)
        self._place = np.full(count, -1)
        self._place[rows.counted] = np.arange(len(rows.counted))
        first_fit, _ = rows.fits[0]
        self._fitted_on = rows.counted if config.folds else first_fit
        self.x = np.concatenate(
            [
                unimodal.Compress(
                    rows.inputs[m][self._fitted_on],
                    config.models.components,
                    self._seed,
                )(rows.inputs[m])
                for m in side
            ],
            axis=1,
        )
        most = max(
            config.symbols.most,
            config.symbols.number,
            *config.symbols.sensitivity,
        )
        self._values = _values([rows.inputs[m] for m in side], most)
        self._symbols: dict[int, np.ndarray] = {}
        self.posteriors = self.predict(self.x, "logistic")
        self.scores = {"logistic": self.score(self.posteriors)}

    def predict(self, x: np.ndarray, kind: str) -> np.ndarray:
        """p(y|x) of the counted rows, of classifiers fitted on others."""
        rows = self._rows
        out = np.zeros((len(rows.counted), len(rows.classes)))
        for train, test in rows.fits:
            out[self._place[test]] = unimodal.posteriors(
                x[train], rows.label[train], x[test],
                classes=len(rows.classes),
                strength=self._config.models.strength, kind=kind,
                seed=self._seed,
            )  # fmt: skip
        return out

    def score(self, p: np.ndarray) -> dict[str, float]:
        """Accuracy of such outputs, with its interval."""
        return unimodal.accuracy(
            p, self._rows.counted_label, self._rows.counted_units,
            replicates=500, seed=self._seed,
        )  # fmt: skip

    def symbols(self, number: int) -> np.ndarray:
        """At most `number` symbols, 0 to K-1, of the counted rows.

        A side that has no more values is not clustered: its values are its
        symbols.

        Raises:
          InputError: All rows have one symbol.
        """
        if number not in self._symbols:
            found = self._discretized(number)
            _, found = np.unique(found, return_inverse=True)
            self._symbols[number] = found
        if not self._symbols[number].any():
            raise InputError(
                f"modality '{self.name}' has one symbol: "
                + (
                    "the classifier's outputs are all alike"
                    if self._kind == "posteriors"
                    else "its values are too much alike"
                )
            )
        return self._symbols[number]

    def _discretized(self, number: int) -> np.ndarray:
        values = self._values
        if values is not None and values.max() < number:
            return values[self._rows.counted]
        if self._kind == "posteriors":
            p = self.posteriors
            return discretize.fit_posteriors(
                p, number, seed=self._seed, fewer=True
            )(p)
        fitted, counted = self.x[self._fitted_on], self.x[self._rows.counted]
        if self._kind == "kmeans":
            return discretize.fit_kmeans(
                fitted, number, seed=self._seed, fewer=True
            )(counted)
        return _fit_quantiles(fitted[:, 0], number)(counted[:, 0])


def _values(parts: Sequence[np.ndarray], most: int) -> np.ndarray | None:
    """Codes of the rows' values, 0 to K-1; None if there are more than most."""
    some = np.concatenate([x[:_FIRST_ROWS] for x in parts], axis=1)
    if len(np.unique(some, axis=0)) > most:
        return None
    whole = np.concatenate(parts, axis=1)
    values, code = np.unique(whole, axis=0, return_inverse=True)
    return code if len(values) <= most else None


def _fit_quantiles(x: np.ndarray, number: int) -> discretize.Edges:
    """The most quantiles up to `number` that repeated values allow."""
    for fewer in range(number, 1, -1):
        try:
            return discretize.fit_quantiles(x, fewer)
        except InputError:
            continue
    return discretize.fit_quantiles(x, 1)


class _Pair:
    """Two sides, and the tables of their symbols."""

    def __init__(
        self, first: _View, second: _View, rows: Rows, config: Config
    ) -> None:
        self.first, self.second = first, second
        self.names = first.name, second.name
        self.rows, self.config = rows, config

    def table(self, number: int) -> samples.Samples:
        """Counts of at most `number` symbols a side and the label.

        Raises:
          InputError: See `_View.symbols`.
        """
        symbols = [v.symbols(number) for v in (self.first, self.second)]
        return samples.count(
            [*symbols, self.rows.counted_label],
            (*(int(s.max()) + 1 for s in symbols), len(self.rows.classes)),
            names=[*self.names, "label"],
            units=self.rows.counted_units,
        )

    def most_symbols(self) -> int:
        """The most symbols at which every cell has samples enough."""
        for number in range(self.config.symbols.most, 2, -1):
            if number**2 * 2 > _MOST_CELLS:
                continue
            if enough(self.table(number)).enough:
                return number
        return 2

    def evidence(self, number: int) -> Labelled | Unimodal:
        """What is known of the pair, by `config.knowledge`."""
        half, table = self.rows.half, self.table(number)
        if half is None:
            return Labelled(table)
        label, units = self.rows.counted_label, self.rows.counted_units

        def labelled(view: _View, rows: np.ndarray) -> samples.Samples:
            symbols = view.symbols(number)
            return samples.count(
                [symbols[rows], label[rows]],
                (int(symbols.max()) + 1, len(self.rows.classes)),
                names=[view.name, "label"],
                units=None if units is None else units[rows],
            )

        return Unimodal(
            labelled(self.first, half),
            labelled(self.second, ~half),
            samples.marginal(table, (2,)),
        )

    def predictions(self) -> Predictions:
        """What the classifiers say of the pair."""
        return Predictions(
            self.first.posteriors,
            self.second.posteriors,
            bins=min(_OUTPUT_BINS, self.config.symbols.most),
            units=self.rows.counted_units,
        )

    def scores(self) -> dict[str, dict[str, float]]:
        """Accuracies of models of both sides together, on held-out samples."""
        x = np.concatenate([self.first.x, self.second.x], axis=1)
        return {
            kind: self.first.score(self.first.predict(x, kind))
            for kind in ("logistic", "network")
        }


def _measured(
    pair: _Pair, config: Config, bar: tqdm, key: str
) -> dict[str, Any]:
    number = config.symbols.number or pair.most_symbols()
    bar.set_description(f"{key}: {number} symbols each")
    resampling = config.resampling
    options: dict[str, Any] = {
        "replicates": resampling.replicates,
        "permutations": resampling.permutations,
        "interval_replicates": resampling.interval_replicates,
        "seed": resampling.seed,
        "progress": not bar.disable,
    }
    whole = pair.table(number)
    found = quantify(pair.evidence(number), **options)
    bar.update()
    predicted = quantify(pair.predictions(), **options)
    scores = pair.scores()
    bar.update()
    cheaper = options | {"replicates": 200, "interval_replicates": 30,
                         "permutations": 0}  # fmt: skip
    advice = decisions.recommend(found, pair.names, margin=config.margin)
    others = {}
    sensitivity: list[dict[str, Any]] = []
    for n in sorted({*config.symbols.sensitivity, number}):
        if n > config.symbols.most and n != number:
            continue
        bar.set_description(f"{key}: sensitivity, {n} symbols")
        one, table = found, pair.table(n)
        sizes = _sizes(table)
        if n != number:
            # With no more values there are no more symbols.
            if sizes == _sizes(whole) or any(
                sizes == point["symbols"] for point in sensitivity
            ):
                continue
            if not verdicts(Labelled(table))["redundancy"].enough:
                continue
            one = quantify(Labelled(table), **cheaper)
            others[f"{quantify_report.symbols(sizes)} symbols"] = (
                decisions.recommend(one, pair.names, margin=config.margin)
            )
        sensitivity.append({"symbols": sizes, **_interactions(one)})
    bar.update()
    advice = decisions.unless_contradicted(advice, others)
    additive, interacting = (
        Range(scores[kind]["lower"], scores[kind]["upper"])
        for kind in ("logistic", "network")
    )
    settles = None
    if verdicts(Labelled(whole))["redundancy"].enough:
        settles = convergence(
            whole, seed=resampling.seed, progress=not bar.disable
        )
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "plain": SEPARATOR not in pair.first.name + pair.second.name,
        "symbols": _sizes(whole),
        "interactions": found,
        "predictions": _interactions(predicted),
        "sensitivity": sensitivity,
        "convergence": settles,
        "models": scores,
        "recommendation": decisions.unless_additive_does(
            advice, additive, interacting
        ),
    }


def _sizes(table: samples.Samples) -> list[int]:
    """Numbers of symbols of the two sides."""
    return list(table.counts.shape[:2])


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
    cli.run(main, exclusive=True)
