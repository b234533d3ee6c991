"""The two sides of a pair: classifiers' outputs, symbols and their counts."""

import functools
from collections.abc import Sequence

import numpy as np

from bounds.errors import InputError
from bounds.estimation import classifiers, discretize, samples
from bounds.estimation._outputs import Answer, Halves, decompose
from bounds.estimation.evidence import (
    Labelled,
    Predictions,
    Unimodal,
    enough,
)
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import Rows, halves

SEPARATOR = " + "
# Clusters of classifier outputs where no label is counted.
_OUTPUT_BINS = 10
# Cells of a table that is tried for the number of symbols.
_MOST_CELLS = 10**5
# Of the posteriors' bootstrap: an interval's ends need no more.
_MOST_REPLICATES = 200
# Rows in which more distinct values than symbols are looked for first.
_FIRST_ROWS = 1000
# Rows that are fitted on, and counted rows that are predicted.
Fits = Sequence[tuple[np.ndarray, np.ndarray]]


class View:
    """One side of a pair: its classifier's outputs and its symbols."""

    def __init__(
        self, rows: Rows, side: tuple[str, ...], options: StudyOptions
    ) -> None:
        self.name = SEPARATOR.join(side)
        self._kind = options.symbols.kind
        self._seed = options.resampling.seed
        self._rows, self._options = rows, options
        count = len(rows.label)
        self._place = np.full(count, -1)
        self._place[rows.counted] = np.arange(len(rows.counted))
        first_fit, _ = rows.fits[0]
        self._fitted_on = rows.counted if options.folds else first_fit
        self.x = np.concatenate(
            [
                classifiers.Compress(
                    rows.inputs[m][self._fitted_on],
                    options.models.components,
                    self._seed,
                )(rows.inputs[m])
                for m in side
            ],
            axis=1,
        )
        most = max(
            options.symbols.most,
            options.symbols.number,
            *options.symbols.sensitivity,
        )
        self._values = _values([rows.inputs[m] for m in side], most)
        self._symbols: dict[int, np.ndarray] = {}
        self.outputs = {
            kind: self.predict(self.x, kind) for kind in classifiers.KINDS
        }
        # Symbols are clusters of these.
        self.posteriors = self.outputs["logistic"]
        self.scores = {k: self.score(p) for k, p in self.outputs.items()}

    def predict(
        self, x: np.ndarray, kind: str, fits: Fits | None = None
    ) -> np.ndarray:
        """p(y|x) of the counted rows, of classifiers fitted on others."""
        rows = self._rows
        out = np.zeros((len(rows.counted), len(rows.classes)))
        for train, test in rows.fits if fits is None else fits:
            out[self._place[test]] = classifiers.posteriors(
                x[train], rows.label[train], x[test],
                classes=len(rows.classes),
                strength=self._options.models.strength, kind=kind,
                weights=None if rows.weights is None else rows.weights[train],
                seed=self._seed,
            )  # fmt: skip
        return out

    def score(self, p: np.ndarray) -> dict[str, float]:
        """Accuracy of such outputs, with its interval."""
        return classifiers.accuracy(
            p, self._rows.counted_label, self._rows.counted_units,
            replicates=500, weights=self._rows.counted_weights,
            seed=self._seed,
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


class Pair:
    """Two sides, and the tables of their symbols."""

    def __init__(
        self, first: View, second: View, rows: Rows, options: StudyOptions
    ) -> None:
        self.first, self.second = first, second
        self.names = first.name, second.name
        self.rows, self.options = rows, options

    def table(self, number: int) -> samples.Samples:
        """Counts of at most `number` symbols a side and the label.

        Raises:
          InputError: See `View.symbols`.
        """
        symbols = [v.symbols(number) for v in (self.first, self.second)]
        return samples.count(
            [*symbols, self.rows.counted_label],
            (*(int(s.max()) + 1 for s in symbols), len(self.rows.classes)),
            names=[*self.names, "label"],
            units=self.rows.counted_units,
            weights=self.rows.counted_weights,
        )

    def most_symbols(self) -> int:
        """The most symbols at which every cell has samples enough."""
        for number in range(self.options.symbols.most, 2, -1):
            if number**2 * 2 > _MOST_CELLS:
                continue
            if enough(self.table(number)).enough:
                return number
        return 2

    def evidence(self, number: int) -> Labelled | Unimodal:
        """What is known of the pair, by `options.knowledge`."""
        half, table = self.rows.half, self.table(number)
        if half is None:
            return Labelled(table)
        label, units = self.rows.counted_label, self.rows.counted_units
        weights = self.rows.counted_weights

        def labelled(view: View, rows: np.ndarray) -> samples.Samples:
            symbols = view.symbols(number)
            return samples.count(
                [symbols[rows], label[rows]],
                (int(symbols.max()) + 1, len(self.rows.classes)),
                names=[view.name, "label"],
                units=None if units is None else units[rows],
                weights=None if weights is None else weights[rows],
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
            bins=min(_OUTPUT_BINS, self.options.symbols.most),
            units=self.rows.counted_units,
            weights=self.rows.counted_weights,
        )

    @functools.cached_property
    def together(self) -> dict[str, np.ndarray]:
        """p(y|x1,x2) of the counted rows, by kind of classifier."""
        x = self._both
        return {kind: self.first.predict(x, kind) for kind in classifiers.KINDS}

    @property
    def _both(self) -> np.ndarray:
        return np.concatenate([self.first.x, self.second.x], axis=1)

    def scores(self) -> dict[str, dict[str, float]]:
        """Accuracies of models of both sides together, on held-out samples."""
        return {kind: self.first.score(p) for kind, p in self.together.items()}

    def answer(self) -> Answer:
        """What the classifiers say, calibrated, without symbols."""
        rows, options = self.rows, self.options
        return decompose(
            self.first.outputs,
            self.second.outputs,
            {kind: self.together[kind] for kind in classifiers.ADDITIVE},
            {kind: self.together[kind] for kind in classifiers.INTERACTING},
            rows.counted_label,
            folds=rows.counted_folds,
            units=rows.counted_units,
            weights=rows.counted_weights,
            half=rows.half,
            halves=self._halves(),
            calibration=options.models.calibration,
            replicates=min(options.resampling.replicates, _MOST_REPLICATES),
            seed=options.resampling.seed,
        )

    def _halves(self) -> list[Halves]:
        rows = self.rows
        if rows.half is not None:
            return []
        x = {
            "first": self.first.x,
            "second": self.second.x,
            "joint": self._both,
        }

        def of(fits: Fits) -> Halves:
            return Halves(
                lambda role, kind: self.first.predict(x[role], kind, fits),
                np.isin(rows.counted, fits[0][1]),
            )

        return [of(f) for f in halves(rows, self.options.resampling.seed)]
