"""The interactions of every pair of modalities, from their features.

Classifiers of each side are fitted apart from the samples that are counted.
Their posteriors are decomposed as they are; and become symbols, the symbols
tables, and the tables estimates, advice, and what says how far to trust them.
"""

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from bounds.errors import InputError
from bounds.estimation import decisions, ranking, samples, withdrawals
from bounds.estimation._given import given_third
from bounds.estimation._outputs import Answer
from bounds.estimation._resampling import Share
from bounds.estimation._sides import SEPARATOR, Pair, View
from bounds.estimation._statistics import entropy
from bounds.estimation.convergence import convergence
from bounds.estimation.evidence import Labelled, verdicts
from bounds.estimation.interactions import Interactions, Range
from bounds.estimation.options import StudyOptions
from bounds.estimation.quantify import quantify
from bounds.estimation.rows import Rows


def study(
    rows: Rows,
    options: StudyOptions,
    *,
    progress: bool = True,
    share: Share | None = None,
) -> dict[str, Any]:
    """Finds the interactions of every pair of modalities with the label.

    Args:
      rows: The samples, see `bounds.estimation.rows.divide`.
      options: How the interactions are found.
      progress: Whether to show progress bars.
      share: See `bounds.quantify`.

    Returns:
      All numbers of a report, by name: of each pair under "pairs"; of pairs
      that have none the reason under "failed".

    Raises:
      InputError: No pair has numbers; the reason of the first.
    """
    start = time.monotonic()
    sides = _sides(tuple(rows.inputs), rest=options.rest)
    alone = list(dict.fromkeys(s for pair in sides for s in pair))
    with tqdm(total=len(alone) + 4 * len(sides), disable=not progress) as bar:
        views = {}
        for side in sorted(alone, key=len):
            bar.set_description(f"classifier of {SEPARATOR.join(side)}")
            views[side] = View(rows, side, options)
            bar.update()
        pairs, failed = {}, {}
        for first, second in sides:
            key = f"{SEPARATOR.join(first)} & {SEPARATOR.join(second)}"
            pair = Pair(views[first], views[second], rows, options)
            try:
                pairs[key] = _measured(pair, options, bar, key, share)
            except InputError as error:
                # Of this pair: the others are not given up for it.
                failed[key] = str(error)
    if not pairs:
        raise InputError(next(iter(failed.values())))
    label = np.bincount(
        rows.counted_label, rows.counted_weights, len(rows.classes)
    )
    label = label / label.sum()
    given: dict[str, Any] = {}
    if (
        options.given
        and options.knowledge == "labelled"
        and options.symbols.when == "always"
    ):
        given = given_third(views, rows, options)
    plain = {
        k: v["interactions"]
        for k, v in pairs.items()
        if v["plain"] and v["interactions"] is not None
    }
    gains = ranking.rank(plain, budget=options.budget)
    for found in pairs.values():
        if found["interactions"] is not None:
            found["interactions"] = _interactions(found["interactions"])
        found["recommendation"] = found["recommendation"]._asdict()
    return {
        "dataset": rows.dataset,
        "classes": list(rows.classes),
        "modalities": list(rows.inputs),
        "samples": len(rows.label),
        "label": label,
        "label_entropy": float(entropy(label)),
        "weighted": rows.weights is not None,
        "independent": None
        if rows.units is None
        else len(np.unique(rows.units)),
        "folds": options.folds,
        "knowledge": options.knowledge,
        "discretizer": options.symbols.kind,
        "resampling": dataclasses.asdict(options.resampling),
        "decide_by": options.decide_by,
        "margin": options.margin,
        "budget": options.budget,
        "models": {
            SEPARATOR.join(side): view.scores for side, view in views.items()
        },
        "pairs": pairs,
        "failed": failed,
        "given": given,
        "ranking": [gain._asdict() for gain in gains],
        "seconds": time.monotonic() - start,
    }


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


def _measured(
    pair: Pair,
    options: StudyOptions,
    bar: tqdm,
    key: str,
    share: Share | None,
) -> dict[str, Any]:
    """What posteriors, and where they are wanted symbols, say of a pair."""
    bar.set_description(f"{key}: posteriors")
    scores = pair.scores()
    bar.update()
    answer = pair.answer()
    bar.update()
    decides = options.decide_by == "posteriors" and answer.pid is not None
    out: dict[str, Any] = {
        "first": pair.first.name,
        "second": pair.second.name,
        "plain": SEPARATOR not in pair.first.name + pair.second.name,
        "posteriors": _answer(answer),
        "models": scores,
        "symbols": [],
        "interactions": None,
        "predictions": None,
        "sensitivity": [],
        "convergence": None,
    }
    synergy = None
    if (
        options.symbols.when == "always"
        or options.knowledge == "unimodal"
        or not decides
    ):
        out |= _from_symbols(pair, scores, options, bar, key, share)
        synergy = out["interactions"].synergy
    else:
        bar.update(2)
    if decides and answer.pid is not None:
        out["recommendation"] = decisions.recommend(
            answer.pid, pair.names, margin=options.margin, synergy=synergy,
            interaction=answer.interaction,
        )  # fmt: skip
    return out


def _from_symbols(
    pair: Pair,
    scores: Mapping[str, Mapping[str, float]],
    options: StudyOptions,
    bar: tqdm,
    key: str,
    share: Share | None,
) -> dict[str, Any]:
    """Tables of symbols, estimates from them, and how far these depend."""
    number = options.symbols.number or pair.most_symbols()
    bar.set_description(f"{key}: {number} symbols each")
    resampling = options.resampling
    resampled: dict[str, Any] = {
        "replicates": resampling.replicates,
        "permutations": resampling.permutations,
        "interval_replicates": resampling.interval_replicates,
        "seed": resampling.seed,
        "progress": not bar.disable,
        "share": share,
    }
    whole = pair.table(number)
    found = quantify(pair.evidence(number), **resampled)
    predicted = quantify(pair.predictions(), **resampled)
    bar.update()
    cheaper = resampled | {"replicates": 200, "interval_replicates": 30,
                         "permutations": 0}  # fmt: skip
    advice = decisions.recommend(found, pair.names, margin=options.margin)
    others = {}
    sensitivity: list[dict[str, Any]] = []
    for n in sorted({*options.symbols.sensitivity, number}):
        if n > options.symbols.most and n != number:
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
            evidence = pair.evidence(n)
            if not verdicts(evidence)["redundancy"].enough:
                continue
            one = quantify(evidence, **cheaper)
            others[f"{spelled(sizes)} symbols"] = decisions.recommend(
                one, pair.names, margin=options.margin
            )
        sensitivity.append({"symbols": sizes, **_interactions(one)})
    bar.update()
    advice = withdrawals.unless_contradicted(advice, others)
    # Labels of pairs are in the models of both, and in what parts of them say.
    labelled = options.knowledge == "labelled"
    if labelled:
        additive, interacting = (
            Range(scores[kind]["lower"], scores[kind]["upper"])
            for kind in ("logistic", "network")
        )
        advice = withdrawals.unless_additive_does(advice, additive, interacting)
    settles = None
    if labelled and verdicts(Labelled(whole))["redundancy"].enough:
        settles = convergence(
            whole, seed=resampling.seed, progress=not bar.disable
        )
    return {
        "symbols": _sizes(whole),
        "interactions": found,
        "predictions": _interactions(predicted),
        "sensitivity": sensitivity,
        "convergence": settles,
        "recommendation": advice,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    """An answer in numbers and names alone."""
    interval = answer.interaction
    shared: dict[str, Any] = {
        "classifiers": answer.classifiers,
        "interaction": None if interval is None else list(interval),
        "learned": {role: list(ends) for role, ends in answer.learned.items()},
    }
    pid = answer.pid
    if pid is None:
        return shared | {"doubts": [answer.reason]}
    return shared | {
        "value": {name: getattr(pid, name) for name in pid.interval},
        "deviation": pid.deviation,
        "interval": {k: list(ends) for k, ends in pid.interval.items()},
        "soft": pid.soft,
        "hard": pid.hard,
        "gap": pid.gap,
        "doubts": list(pid.doubts),
    }


def spelled(sizes: int | Sequence[int]) -> str:
    """Returns the numbers of symbols of the sides, once if they are equal."""
    parts = [sizes] if isinstance(sizes, int) else sizes
    return " & ".join(map(str, dict.fromkeys(parts)))


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
