"""A model that was trained elsewhere, in the report on a data set."""

from collections.abc import Mapping
from typing import Any

from arm_jax.analysis.beside import QUANTITIES
from arm_jax.reports import answers, page
from arm_jax.reports import outputs as report
from arm_jax.reports.outputs import Table
from arm_jax.reports.pieces import fixed, interval, markdown_table

TITLE = "Your model"
_WORDS = {
    "redundancy": "that {first} and {second} share",
    "unique1": "that only {first} has",
    "unique2": "that only {second} has",
    "synergy": "that only both together have",
    "total": "of both",
}
RIGHT = (
    "Of its samples, in %: right from each alone and from both together, from "
    "one of them alone, only from both together (the synergy rate), right from "
    "one or both alone but not from both together, and never."
)


def about(results: Mapping[str, Any]) -> str:
    """Whose outputs they are, and what they are beside."""
    model = results["model"]
    return (
        f"What the modalities tell the model of {model['file']} on "
        f"{model['samples']:,} samples, beside what they tell classifiers of "
        "the data (bits, 95 % intervals; see posteriors). A model has less "
        "where it neglects something, and more where those classifiers have "
        "not learned all."
    )


def table(results: Mapping[str, Any]) -> Table:
    """Two rows per pair: R, U1, U2, S and total of the data, of the model."""
    rows = []
    decomposed = results["model"]["decomposition"]
    for key, pair in results["pairs"].items():
        model, data = decomposed.get(key) or {}, pair["posteriors"]
        if "value" not in model:
            continue
        for whose, found in (("data", data), ("model", model)):
            cells = [
                interval(found["value"][q], found["interval"][q])
                if q in found.get("value", {})
                else "not known"
                for q in QUANTITIES
            ]
            rows.append([key, whose, *cells])
    return ["pair (1 & 2)", "of", "R", "U1", "U2", "S", "total"], rows


def sentences(results: Mapping[str, Any]) -> list[str]:
    """What the model has less or more of, and doubts about its outputs."""
    model, lines = results["model"], []
    for key, differences in model["differences"].items():
        pair = results["pairs"][key]
        for one in differences:
            words = _WORDS[one["quantity"]].format(
                first=pair["first"], second=pair["second"]
            )
            less = one["model"] < one["data"]
            lines.append(
                f"{key}: the model has {fixed(one['model'], 2)} bits {words}, "
                f"{'less' if less else 'more'} than the classifiers of the "
                f"data, {fixed(one['data'], 2)}."
            )
        if not differences:
            lines.append(
                f"{key}: no difference between model and data is larger than "
                "the intervals."
            )
    for key, found in model["decomposition"].items():
        if found is None:
            lines.append(f"{key}: there are no outputs of both together.")
        first, _, second = key.partition(" & ")
        pair = {"first": first, "second": second}
        for doubt in (found or {}).get("doubts", []):
            said = answers.named(doubt, pair, "its output of both")
            lines.append(f"{key}: {said}.")
    return lines


def blocks(results: Mapping[str, Any]) -> list[str | list[str] | Table]:
    """The section: paragraphs, lists and tables, those that have something."""
    model = results["model"]
    right = report.agreement(model)
    return [
        about(results),
        *([found] if (found := table(results))[1] else []),
        *([lines] if (lines := sentences(results)) else []),
        report.subsets(model),
        *((RIGHT, right) if right[1] else ()),
    ]


def markdown(results: Mapping[str, Any]) -> list[str]:
    """The section, as lines."""
    lines = [f"## {TITLE}", ""]
    for block in blocks(results):
        if isinstance(block, tuple):
            lines += [markdown_table(*block), ""]
        elif isinstance(block, list):
            lines += [*(f"- {line}" for line in block), ""]
        else:
            lines += [block, ""]
    return lines


def html(results: Mapping[str, Any]) -> list[str]:
    """The section, as HTML."""
    out = [page.heading(TITLE)]
    for block in blocks(results):
        if isinstance(block, tuple):
            out.append(page.table(*block))
        elif isinstance(block, list):
            out.append(page.items(block))
        else:
            out.append(page.paragraph(block))
    return out
