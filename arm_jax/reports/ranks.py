"""Ranks of methods over several data sets, and how sure they are.

A method's rank on a data set is that of its mean accuracy over runs, 1 for the
best; equal ones share the mean of their ranks. Two kinds of doubt:

- Would other runs have ranked alike? Runs are drawn anew with replacement, the
  same ones for all methods, which are paired; of a data set with variants, such
  as folds, first the variants, then the runs of each. Intervals are the middle
  95 % of the mean ranks.
- Would other data sets? Friedman's test asks whether ranks differ at all over
  data sets, and Nemenyi's critical difference is how far apart two mean ranks
  must be at 5 % (Demsar, Statistical Comparisons of Classifiers over Multiple
  Data Sets, JMLR 2006). Of few data sets it tells large differences only.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from arm_jax.errors import InputError
from arm_jax.reports.pieces import fixed, markdown_table

_DRAWS = 10_000


class Ranks(NamedTuple):
    """Ranks of methods.

    Attributes:
      methods: Names.
      sets: Names of the data sets.
      ranks: On each data set, `[sets, methods]`.
      interval: Of the mean rank, 95 %, `[2, methods]`; NaN where each data
        set has one run.
      first: Share of the draws in which a method's mean rank is the least (of
        several at once, each has its part), `[methods]`; NaN likewise.
      p: P-value of Friedman's test; NaN for fewer than two data sets or three
        methods.
      difference: Nemenyi's critical difference; NaN likewise.
    """

    methods: list[str]
    sets: list[str]
    ranks: np.ndarray
    interval: np.ndarray
    first: np.ndarray
    p: float
    difference: float


def of_summaries(
    summaries: Mapping[str, Mapping[str, Any]], seed: int = 0
) -> Ranks:
    """Returns the ranks of the methods that all comparisons have.

    Args:
      summaries: By data set, what `reports.comparison.summarize` returns; their
        first group counts.
      seed: Seed of the draws.

    Raises:
      InputError: Comparisons on different splits; fewer than two methods in
        all of them; methods of one that have not the same runs; or an accuracy
        that is not finite.
    """
    if not summaries:
        raise InputError("no comparison to rank the methods of")
    splits = {name: s.get("split", "test") for name, s in summaries.items()}
    if len(set(splits.values())) > 1:
        told = ", ".join(f"{name} ({split})" for name, split in splits.items())
        raise InputError(f"comparisons on different splits: {told}")
    methods = _common(summaries)
    tables = {
        name: _table(name, summary, methods)
        for name, summary in summaries.items()
    }
    rng = np.random.default_rng(seed)
    drawn = np.mean(
        [
            _ranks(_redrawn(table, summaries[name]["variants"], rng))
            for name, table in tables.items()
        ],
        axis=0,
    )
    least = drawn <= drawn.min(axis=1, keepdims=True) + 1e-9
    ranks = np.stack([_ranks(t.mean(axis=1)) for t in tables.values()])
    interval = np.quantile(drawn, [0.025, 0.975], axis=0)
    first = (least / least.sum(axis=1, keepdims=True)).mean(axis=0)
    if all(table.shape[1] < 2 for table in tables.values()):
        # One run drawn anew is the same run, and says nothing of others.
        interval, first = (np.full_like(x, np.nan) for x in (interval, first))
    p, difference = _over_sets(ranks)
    return Ranks(
        methods,
        list(tables),
        ranks,
        interval,
        first,
        p,
        difference,
    )


def markdown(found: Ranks) -> str:
    """Returns a table, the best method first, and what it says."""
    mean = found.ranks.mean(axis=0)
    drawn = bool(np.isfinite(found.first).all())
    rows = [
        [
            found.methods[m],
            fixed(mean[m], 1),
            *(
                [
                    f"[{fixed(found.interval[0, m], 1)}, "
                    f"{fixed(found.interval[1, m], 1)}]",
                    f"{100 * found.first[m]:.0f} %",
                ]
                if drawn
                else []
            ),
            *(f"{rank:g}" for rank in found.ranks[:, m]),
        ]
        for m in np.argsort(mean, kind="stable")
    ]
    lines = [
        markdown_table(
            [
                "method",
                "mean rank",
                *(["95 %", "first"] if drawn else []),
                *found.sets,
            ],
            rows,
        ),
        "",
        "Ranks of the mean fused accuracy at the last epoch, 1 for the best. "
        + (
            "The interval, and the share of draws in which a method has the "
            "best mean rank, are over runs drawn anew (paired bootstrap, "
            f"{_DRAWS:,} draws)."
            if drawn
            else "One run of each does not say what others would make of them."
        ),
    ]
    if np.isfinite(found.p):
        lines.append(
            f"Over {len(found.sets)} data sets as the sample: Friedman's test "
            f"p = {found.p:.2g}; two mean ranks differ at 5 % by "
            f"{fixed(found.difference, 1)} or more (Nemenyi)."
        )
    return "\n".join(lines)


def _common(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    labels = [list(s["groups"][0][1]) for s in summaries.values()]
    common = [k for k in labels[0] if all(k in others for others in labels)]
    if len(common) < 2:
        raise InputError(
            f"{', '.join(summaries)} have fewer than two methods in common"
        )
    return common


def _table(
    name: str, summary: Mapping[str, Any], methods: Sequence[str]
) -> np.ndarray:
    """Accuracies, `[methods, runs]`."""
    rows = [
        np.asarray(summary["accuracies"][label]["accuracy"], float)
        for label in methods
    ]
    runs = len(summary["variants"])
    for label, row in zip(methods, rows, strict=True):
        if len(row) != runs:
            raise InputError(
                f"{name}: '{label}' has {len(row)} runs, not {runs}: they are "
                "not paired"
            )
        if not np.isfinite(row).all():
            raise InputError(f"{name}: an accuracy of '{label}' is not finite")
    return np.stack(rows)


def _redrawn(
    table: np.ndarray, variants: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """Means over runs drawn anew, `[draws, methods]`."""
    names = list(dict.fromkeys(variants))
    of_variant = [np.flatnonzero(np.asarray(variants) == v) for v in names]
    # How often each run counts, `[draws, runs]`.
    counts = np.zeros((_DRAWS, table.shape[1]))
    times = rng.multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=_DRAWS
    )
    for runs, often in zip(of_variant, times.T, strict=True):
        # Each time the variant is drawn, as many of its runs as it has.
        counts[:, runs] = rng.multinomial(
            often * len(runs), np.full(len(runs), 1 / len(runs))
        )
    return counts @ table.T / counts.sum(axis=1, keepdims=True)


def _ranks(accuracy: np.ndarray) -> np.ndarray:
    # Rounded: what is equal in counts of examples must not differ by an ulp.
    return stats.rankdata(-np.round(accuracy, 9), axis=-1)


def _over_sets(ranks: np.ndarray) -> tuple[float, float]:
    """P-value and critical difference of ranks `[sets, methods]`."""
    sets, methods = ranks.shape
    if sets < 2 or methods < 3:
        return float("nan"), float("nan")
    if (ranks == ranks[:, :1]).all():
        p = 1.0  # nothing but ties, of which the statistic is 0 / 0
    else:
        p = float(stats.friedmanchisquare(*ranks.T).pvalue)
    q = stats.studentized_range.ppf(0.95, methods, np.inf) / np.sqrt(2)
    return p, float(q * np.sqrt(methods * (methods + 1) / (6 * sets)))
