"""The report on a data set's interactions as one page of HTML."""

from collections.abc import Mapping
from typing import Any

from arm_jax.reports import answers, beside, page
from arm_jax.reports.quantify import (
    GAIN,
    GIVEN,
    NEGATIVE,
    POSTERIORS,
    QUANTITIES,
    about_accuracy,
    accuracy_table,
    given_table,
    outputs_sentence,
    posteriors_sentences,
    posteriors_table,
    ranking_table,
    setup,
    table,
    title,
)
from arm_jax.reports.quantify_figures import (
    accuracy_figure,
    convergence_figure,
    decomposition_figure,
    sensitivity_figure,
)
from bounds.estimation.study import SEPARATOR, spelled


def html(results: Mapping[str, Any]) -> str:
    """The report as one page, figures inline."""
    return page.page(
        f"Interactions of {results['dataset']}",
        _answer(results),
        parts(results),
    )


def parts(results: Mapping[str, Any]) -> list[str]:
    """Returns all but the title and the answer, as HTML."""
    pairs = list(results["pairs"].values())
    symbols = [pair for pair in pairs if pair["interactions"]]
    body = [*_pictures(results), *_posteriors(results)]
    whys = [
        _advice(pair, results["samples"], alone=len(pairs) == 1)
        for pair in pairs
    ]
    body.append(page.cards(whys))
    if symbols:
        body += [page.heading("From symbols"), page.table(*table(results))]
    header, rows = given_table(results)
    if rows:
        body += [
            page.heading("Given a third modality"),
            page.paragraph(GIVEN),
            page.table(header, rows),
        ]
    body += [page.heading("Accuracy"), page.paragraph(about_accuracy(results))]
    if symbols:
        body.append(
            page.figures(
                [
                    page.figure(
                        accuracy_figure(results),
                        "What classifiers of symbols can reach, and what "
                        "trained models reach; the numbers are in the table",
                        "Bars: the best classifier of the symbols, 95 % "
                        "intervals; pale: what is known of it without labels "
                        "of pairs. Points: trained models, with 95 % "
                        "intervals.",
                    )
                ]
            )
        )
    body.append(page.table(*accuracy_table(results)))
    if results["ranking"]:
        body += [
            page.heading("What to label"),
            page.paragraph(GAIN),
            page.table(*ranking_table(results)),
        ]
    if results.get("model"):
        body += beside.html(results)
    for pair in symbols:
        body += _symbols(pair)
    return [
        *body,
        page.heading("How it was made"),
        *map(page.paragraph, setup(results)),
    ]


def _answer(results: Mapping[str, Any]) -> list[str]:
    lines = [answers.of_interactions(results)]
    (pair, *more) = results["pairs"].values()
    if more:
        return lines
    total = _values(pair).get("total")
    entropy = _entropy(results)
    if total is not None and entropy:
        lines.append(answers.how_much(total, entropy, _sides(pair)))
    if pair["recommendation"]["measure"]:
        measure = answers.named(pair["recommendation"]["measure"], pair)
        lines.append(f"Next: {measure}.")
    return lines


def _pictures(results: Mapping[str, Any]) -> list[str]:
    """What each pair knows, and how often classifiers are right."""
    pairs = list(results["pairs"].values())
    entropy = _entropy(results)
    one = pairs[0] if len(pairs) == 1 else None
    names = [
        "both say it (R)",
        f"only {one['first'] if one else 'the first'} says it (U1)",
        f"only {one['second'] if one else 'the second'} says it (U2)",
        "only together (S)",
    ]
    rows = []
    for pair in pairs:
        values = _values(pair)
        if not values:
            continue
        sizes = [max(values.get(key, 0.0), 0.0) for key in QUANTITIES]
        total = values.get("total", sum(sizes))
        rows.append(
            page.Bar(
                title(pair),
                list(zip(names, sizes, range(4), strict=True)),
                f"{total:z.2f} bits",
            )
        )
    limit = entropy or max(
        [sum(size for _, size, _ in row.parts) for row in rows], default=1.0
    )
    out = [page.heading("What they know")]
    if rows:
        caption = (
            f"Information about the label, of {limit:.2f} bits that there are."
            if entropy
            else "Information about the label, in bits."
        )
        out.append(page.bars(rows, limit, caption))
    bars = []
    scores = {
        name: max(models.values(), key=lambda m: m["accuracy"])
        for name, models in (
            *results["models"].items(),
            *((title(pair), pair["models"]) for pair in pairs),
        )
    }
    for name, score in scores.items():
        if SEPARATOR in name:
            continue
        low, high = 100 * score["lower"], 100 * score["upper"]
        color = 0 if " & " in name else 5
        bars.append(
            page.Bar(
                name,
                [("", 100 * score["accuracy"], color)],
                f"{100 * score['accuracy']:.1f} % [{low:.1f}, {high:.1f}]",
                (low, high),
            )
        )
    share = max(results.get("label", [0]))
    chance = (
        f" Who always says the commonest label is right in {100 * share:.1f} %."
        if share
        else ""
    )
    caption = (
        "How often the best of three kinds of classifiers is right "
        f"on samples that it has not seen (line: 95 % interval).{chance}"
    )
    return [*out, page.bars(bars, 100.0, caption, legend=False)]


def _values(pair: Mapping[str, Any]) -> Mapping[str, float]:
    """R, U1, U2, S and total of the posteriors, or else of symbols."""
    found = pair["posteriors"]
    if "value" in found:
        return found["value"]
    estimates = (pair["interactions"] or {"estimates": {}})["estimates"]
    return {
        key: one["value"]
        for key, one in estimates.items()
        if key in (*QUANTITIES, "total") and one["enough"]
    }


def _entropy(results: Mapping[str, Any]) -> float | None:
    return results.get("label_entropy")  # not in older results


def _sides(pair: Mapping[str, Any]) -> list[str]:
    return [pair["first"], pair["second"]]


def _posteriors(results: Mapping[str, Any]) -> list[str]:
    header, rows = posteriors_table(results)
    lines = posteriors_sentences(results)
    out = []
    if rows:
        out += [page.paragraph(POSTERIORS), page.table(header, rows)]
        if any(cell.startswith("-") for row in rows for cell in row[1:]):
            out.append(page.paragraph(NEGATIVE))
    if lines:
        out.append(page.items(lines))
    return [page.heading("From posteriors"), *out] if out else []


def _advice(pair: Mapping[str, Any], samples: int, *, alone: bool) -> list[str]:
    advice = pair["recommendation"]
    said = "" if alone else f" {answers.of_pair(pair, samples)}"
    out = [
        page.heading(f"Why: {title(pair)}"),
        page.paragraph(f"**{advice['text']}**.{said}"),
        page.items(advice["reasons"]),
    ]
    if advice["measure"]:
        measure = answers.named(advice["measure"], pair)
        out.append(page.paragraph(f"Next: {measure}."))
    return out


def _symbols(pair: Mapping[str, Any]) -> list[str]:
    """What symbols say of a pair, and how far that depends on them."""
    name = title(pair)
    drawn = [
        page.figure(
            decomposition_figure(pair),
            f"R, U1, U2 and S of {name} with intervals; the numbers are in "
            "the table of symbols",
            f"{spelled(pair['symbols'])} symbols per modality. Lines are 95 % "
            "intervals; ticks are what labels without any information give, 19 "
            "times of 20; the band is what S can be if no pair has a label.",
        )
    ]
    missing_ones = []
    if pair["convergence"]:
        drawn.append(
            page.figure(
                convergence_figure(pair),
                f"Estimates of {name} against the number of samples",
                "Estimates from parts of the samples: mean and range of 4 "
                "draws. Solid: corrected; dotted: plug-in.",
            )
        )
    else:
        missing_ones.append("Estimates from parts of the samples")
    if any(
        e["enough"]
        for p in pair["sensitivity"]
        for e in p["estimates"].values()
    ):
        drawn.append(
            page.figure(
                sensitivity_figure(pair),
                f"Estimates of {name} against the number of symbols",
                "The same with other numbers of symbols, as far as samples "
                "reach and values differ.",
            )
        )
    else:
        missing_ones.append("Other numbers of symbols")
    return [
        page.heading(f"Symbols of {name}"),
        page.figures(drawn),
        page.paragraph(outputs_sentence(pair)),
        *(page.paragraph(f"{what}: too few samples.") for what in missing_ones),
    ]
