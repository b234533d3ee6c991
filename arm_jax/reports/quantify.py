"""The report on a data set's interactions in Markdown.

Tables, sentences and cells in one file: the page of HTML takes them from here,
so that both say the same.
"""

import math
from collections.abc import Mapping
from typing import Any

from arm_jax.reports import answers, beside, learning
from arm_jax.reports.pieces import interval, markdown_table, plainly
from bounds.estimation.study import spelled

QUANTITIES = {
    "redundancy": "redundancy R",
    "unique1": "unique U1",
    "unique2": "unique U2",
    "synergy": "synergy S",
}
GAIN = (
    "Accuracy, in points of %, that the best classifier of both modalities' "
    "symbols gains over that of the better modality's: certainly, and at most."
)
TOO_FEW = "too few samples"
_REACHED = (
    "In %, with 95 % intervals: what trained models reach on held-out samples"
)
_POSSIBLE = (
    ", and what the best classifier of the symbols could (without pair labels: "
    "from what they know of each, and of the information). Trained models see "
    "the features: they can do better than the symbols"
)
NEGATIVE = (
    "A synergy below 0 says that the classifier of both modalities has learned "
    "less than those of the single ones together."
)
_CLASSIFIERS = {
    "logistic": "logistic regression",
    "discriminant": "discriminant analysis",
    "network": "a network",
    "late fusion": "late fusion",
    "first": "the first alone",
    "second": "the second alone",
}
# Header and rows.
Table = tuple[list[str], list[list[Any]]]


def title(pair: Mapping[str, Any]) -> str:
    """Names the two sides."""
    return f"{pair['first']} & {pair['second']}"


def table(results: Mapping[str, Any]) -> Table:
    """One row per pair: R, U1, U2, S with intervals; S without labels."""
    rows = []
    for pair in results["pairs"].values():
        found = pair["interactions"]
        if found is None:
            continue
        rows.append(
            [
                title(pair),
                spelled(pair["symbols"]),
                *(_cell(found["estimates"].get(q)) for q in QUANTITIES),
                _band(found),
                f"{found['size']} ({found['effective']:.0f})",
            ]
        )
    header = [
        "pair (1 & 2)", "symbols", "R", "U1", "U2", "S",
        "S without pair labels", "samples (effective)",
    ]  # fmt: skip
    return header, rows


def posteriors_table(results: Mapping[str, Any]) -> Table:
    """One row per pair: R, U1, U2, S and their sum, of posteriors."""
    rows = []
    for pair in results["pairs"].values():
        found = pair["posteriors"]
        if "value" not in found:
            continue
        cells = [_interval_cell(found, q) for q in (*QUANTITIES, "total")]
        rows.append([title(pair), *cells, "see below" * bool(found["doubts"])])
    return ["pair (1 & 2)", "R", "U1", "U2", "S", "total", "doubts"], rows


def posteriors_sentences(results: Mapping[str, Any]) -> list[str]:
    """Whose posteriors they are, doubts about them, and what symbols lose."""
    lines = []
    for pair in results["pairs"].values():
        found = pair["posteriors"]
        classifiers = found.get("classifiers", {})  # not in older results
        taken = [
            f"for {side} {_classifier(classifiers[role])}"
            for role, side in (
                ("first", pair["first"]),
                ("second", pair["second"]),
                ("joint", "both"),
            )
            if role in classifiers
        ]
        if taken:
            lines.append(
                f"{title(pair)}: likeliest on held-out samples is "
                f"{', '.join(taken)}."
            )
        if found.get("learned"):
            said = learning.sentence(pair, found["learned"], results["margin"])
            lines.append(f"{title(pair)}: {said}.")
        for doubt in found["doubts"]:
            lines.append(f"{title(pair)}: {answers.named(doubt, pair)}.")
        lost = _lost(pair, found.get("hard", {}), results["margin"])
        if lost:
            lines.append(
                f"{title(pair)}: {spelled(pair['symbols'])} symbols keep "
                f"{' and '.join(lost)}; what they say of this pair is about "
                "the symbols."
            )
    return lines


def _classifier(chosen: Mapping[str, str]) -> str:
    """A classifier and its calibration."""
    calibration = chosen["calibration"] or "no"
    return f"{_CLASSIFIERS[chosen['name']]} ({calibration} scaling)"


def _interval_cell(found: Mapping[str, Any], quantity: str) -> str:
    if quantity not in found["value"]:
        return "needs pairs"
    return interval(found["value"][quantity], found["interval"][quantity])


def _lost(
    pair: Mapping[str, Any], hard: Mapping[str, float], margin: float
) -> list[str]:
    """What symbols keep of each modality, where they lose more than margin."""
    lost: list[str] = []
    if pair["interactions"] is None:
        return lost
    for i, side in ((1, "first"), (2, "second")):
        kept = pair["interactions"]["estimates"][f"information{i}"]["value"]
        whole = hard.get(f"r{i}")
        if missing(kept) or missing(whole) or whole - kept < margin:
            continue
        lost.append(f"{kept:z.2f} of {whole:z.2f} bits of {pair[side]}")
    return lost


def accuracy_table(results: Mapping[str, Any]) -> Table:
    """One row per pair: what is possible, what trained models reach, in %."""
    rows = []
    symbols = _with_symbols(results)
    for pair in results["pairs"].values():
        found, models = pair["interactions"], pair["models"]
        alone = [
            results["models"][pair[side]]["logistic"]
            for side in ("first", "second")
        ]
        possible = [
            _percent_range(found[key]) if found else ""
            for key in ("accuracy1", "accuracy2", "accuracy", "accuracy_bounds")
            if symbols
        ]
        reached = (*alone, models["logistic"], models["network"])
        rows.append([title(pair), *possible, *map(_percent, reached)])
    header = [
        "best of 1", "best of 2", "best of both",
        "best of both without pair labels",
    ]  # fmt: skip
    return [
        "pair (1 & 2)", *(header if symbols else []),
        "1, logistic", "2, logistic", "both, logistic", "both, network",
    ], rows  # fmt: skip


def about_accuracy(results: Mapping[str, Any]) -> str:
    """What the table of accuracies shows."""
    return f"{_REACHED}{_POSSIBLE if _with_symbols(results) else ''}."


def _with_symbols(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The pairs that symbols were made of, too."""
    return [p for p in results["pairs"].values() if p["interactions"]]


def given_table(results: Mapping[str, Any]) -> Table:
    """One row per pair and third modality: what is left, given the third."""
    rows = []
    for one in results.get("given", {}).values():
        cells = [one.get("failed", "")] * (len(QUANTITIES) + 1)
        if "estimates" in one:
            names = (*QUANTITIES, "total")
            cells = [_cell(one["estimates"].get(q)) for q in names]
        symbols = spelled(one["symbols"]) if "symbols" in one else ""
        pair = f"{one['first']} & {one['second']}"
        rows.append([pair, one["given"], symbols, *cells])
    return [
        "pair (1 & 2)",
        "given",
        "symbols",
        "R",
        "U1",
        "U2",
        "S",
        "total",
    ], rows


def ranking_table(results: Mapping[str, Any]) -> Table:
    """Pairs by the accuracy that they are certain, and may be, to gain."""
    rows = [
        [
            gain["name"],
            f"{100 * gain['certain']:z.1f}",
            f"{100 * gain['possible']:z.1f}",
            f"{gain['labels']:,}",
            "yes" if gain["affordable"] else "no",
        ]
        for gain in results["ranking"]
    ]
    header = [
        "pair", "certain gain", "possible gain", "pairs to label",
        f"within {results['budget']:,}",
    ]  # fmt: skip
    return header, rows


def setup(results: Mapping[str, Any]) -> list[str]:
    """What was counted, and how, in sentences."""
    resampling = results["resampling"]
    symbols = _with_symbols(results)
    fitted = (
        f"cross-fitted in {results['folds']} folds"
        if results["folds"]
        else "fitted on the training split, counted on validation and test"
    )
    kinds = {
        "posteriors": "clusters of a logistic regression's outputs",
        "kmeans": "k-means clusters",
        "quantiles": "quantiles of the first principal component",
    }
    what = f"Symbols are {kinds[results['discretizer']]}"
    if not symbols:
        what = (
            "Classifiers are logistic regressions, discriminant analyses and "
            "small networks"
        )
    lines = [
        f"{results['samples']:,} samples, {len(results['classes'])} classes. "
        f"{what}, {fitted}.",
    ]
    if results["units"]:
        lines.append(
            f"Samples of one '{results['units']}' are not independent: they "
            "are resampled together, and fewer of them count (effective size)."
        )
    if results.get("weighted"):
        lines.append(
            "Samples count by their weights, in the classifiers, tables and "
            "resamples alike, and fewer of them count (effective size)."
        )
    if symbols:
        gap = max(pair["interactions"]["gap"] for pair in symbols)
        lines.append(
            "Numbers are in bits. But for those from posteriors they are about "
            "these symbols, which know at most what the features know. Values "
            "are corrected for bias (jackknife); intervals are 95 % "
            f"({resampling['replicates']} bootstrap replicates, "
            f"{resampling['interval_replicates']} for synergy without pair "
            "labels). Numbers with fewer than 5 independent samples per cell "
            "are not given. The solver's proven error is at most "
            f"{gap:.0e} bits."
        )
    if len(symbols) < len(results["pairs"]):
        lines.append(
            "Posteriors decide, so features were not cut into symbols: "
            "`--config.symbols.when=always` adds their tables and how these "
            "depend on samples, what holds given a third modality, and the "
            "bounds that need no labels of pairs."
        )
    if results["knowledge"] == "unimodal":
        lines.append(
            "Labels of pairs are not used: each modality has labels of its own "
            "half of the samples. So there are no estimates from parts of the "
            "samples, and models of both modalities decide nothing."
        )
    lines += [
        f"There is nothing on {pair}: {reason}."
        for pair, reason in results.get("failed", {}).items()
    ]
    return lines


def in_short(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The answer: each pair, and the advice on it."""
    return [
        (title(pair), pair["recommendation"]["text"])
        for pair in results["pairs"].values()
    ]


def markdown(results: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    results = plainly(results)
    parts = [
        f"# Interactions of {results['dataset']}",
        "",
        f"**{answers.of_interactions(results)}**",
        "",
        *(f"- {pair}: **{advice}**." for pair, advice in in_short(results)),
        "",
        " ".join(setup(results)),
        "",
        *_posteriors_markdown(results),
    ]
    if _with_symbols(results):
        parts += ["## From symbols", "", markdown_table(*table(results)), ""]
    parts += [
        *_given_markdown(results),
        "## Accuracy", "", about_accuracy(results), "",
        markdown_table(*accuracy_table(results)), "",
    ]  # fmt: skip
    if results["ranking"]:
        ranks = markdown_table(*ranking_table(results))
        parts += ["## What to label", "", GAIN, "", ranks, ""]
    if results.get("model"):
        parts += beside.markdown(results)
    parts += ["## Decisions", ""]
    for pair in results["pairs"].values():
        parts += [_decision_markdown(pair), ""]
    return "\n".join(parts)


POSTERIORS = (
    "The classifiers' posteriors, calibrated out of fold, decomposed without "
    "symbols (bits, 95 % intervals). They are about the features as far as the "
    "classifiers have learned them; the synergy also needs the classifier of "
    "both, and is too small where that one is too simple."
)


def _posteriors_markdown(results: Mapping[str, Any]) -> list[str]:
    header, rows = posteriors_table(results)
    lines = [f"- {line}" for line in posteriors_sentences(results)]
    if not rows and not lines:
        return []
    shown = [POSTERIORS, "", markdown_table(header, rows), ""] if rows else []
    if lines:
        lines.append("")
    return ["## From posteriors", "", *shown, *lines]


GIVEN = (
    "What the modalities of a pair say about the label to who knows the third "
    "one already, of symbols: the terms add up to I(1, 2; label | third)."
)


def _given_markdown(results: Mapping[str, Any]) -> list[str]:
    header, rows = given_table(results)
    if not rows:
        return []
    return [
        "## Given a third modality", "", GIVEN, "",
        markdown_table(header, rows), "",
    ]  # fmt: skip


def outputs_sentence(pair: Mapping[str, Any]) -> str:
    """What the classifiers' outputs say about the synergy."""
    lower, upper = pair["predictions"]["synergy"]
    if missing(lower):
        return "From the classifiers' outputs alone: too few samples."
    return (
        "From the classifiers' outputs on unlabelled pairs alone, if they are "
        f"calibrated: S between {lower:z.3f} and {upper:z.3f} bits."
    )


def _decision_markdown(pair: Mapping[str, Any]) -> str:
    advice = pair["recommendation"]
    lines = [f"**{title(pair)}**: {advice['text']}.", ""]
    lines += [f"- {reason}" for reason in advice["reasons"]]
    if pair["predictions"]:
        lines += ["", outputs_sentence(pair)]
    if advice["measure"]:
        lines += [
            "",
            f"Next: {answers.named(advice['measure'], pair)}.",
        ]
    return "\n".join(lines)


def _cell(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "not known"
    if not estimate["enough"]:
        return f"{TOO_FEW} (needs {estimate['needed']:,})"
    return interval(estimate["value"], (estimate["lower"], estimate["upper"]))


def _band(found: Mapping[str, Any]) -> str:
    low, high = found["synergy_lower"], found["synergy_upper"]
    if not low["enough"]:
        return TOO_FEW
    return f"[{low['lower']:z.3f}, {high['upper']:z.3f}]"


def _percent(score: Mapping[str, float]) -> str:
    lower, upper = 100 * score["lower"], 100 * score["upper"]
    return f"{100 * score['accuracy']:z.1f} [{lower:z.1f}, {upper:z.1f}]"


def _percent_range(ends: tuple[float, float]) -> str:
    return f"[{100 * ends[0]:z.1f}, {100 * ends[1]:z.1f}]"


def missing(value: float | None) -> bool:
    """Whether there is no number; in JSON null is its sign."""
    return value is None or math.isnan(value)


def short(number: float) -> str:
    """Returns a number of samples, in thousands if it is large."""
    return f"{number:.0f}" if number < 10_000 else f"{number / 1000:.0f}k"
