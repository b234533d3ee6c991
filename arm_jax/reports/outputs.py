"""The report on a model that was trained elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports import answers, page, valuation
from arm_jax.reports.pieces import (
    fixed,
    interval,
    markdown_table,
    part,
    plainly,
)

# Header and rows.
Table = tuple[list[str], list[list[str]]]


def subsets(results: Mapping[str, Any]) -> Table:
    """Accuracy, cross-entropy and calibration by subset."""
    rows = [
        [
            name,
            fixed(100 * score["accuracy"], 1),
            _number(score["cross_entropy"]),
            fixed(100 * score["ece"], 1),
        ]
        for name, score in results["subsets"].items()
    ]
    header = ["modalities", "accuracy (%)", "cross-entropy (bits)", "ECE (%)"]
    return header, rows


def contributions(results: Mapping[str, Any]) -> Table:
    """Mean contributions in bits, and shares in the accuracy."""
    phi, shares = results["contributions"], results["shapley"]
    rows = []
    for m, name in enumerate(results["modalities"]):
        row = [name]
        if phi is not None:
            row += [_number(phi[k][m]) for k in ("phi_cmi", "expected_phi_cmi")]
        if shares is not None:
            row.append(fixed(100 * shares[name], 1))
        rows.append(row)
    header = ["modality"]
    if phi is not None:
        header += ["phi_CMI (bits)", "phi_CMI, label-free"]
    if shares is not None:
        header.append("Shapley (points)")
    return header, rows


def decomposition(results: Mapping[str, Any]) -> Table:
    """R, U1, U2, S of the predictions with intervals, of each pair."""
    rows = []
    for pair, found in results["decomposition"].items():
        if found is None or "value" not in found:
            continue
        cells = [
            interval(found["value"][q], found["interval"][q])
            for q in ("redundancy", "unique1", "unique2", "synergy")
        ]
        rows.append([pair, *cells])
    return ["pair (1 & 2)", "R", "U1", "U2", "S"], rows


def agreement(results: Mapping[str, Any]) -> Table:
    """Who is right, in % of the samples, of each pair."""
    rows = [
        [pair, *(fixed(100 * share, 1) for share in found.values())]
        for pair, found in results["agreement"].items()
        if found is not None
    ]
    header = [
        "pair (1 & 2)", "both alone", "1 alone", "2 alone", "only together",
        "lost together", "never",
    ]  # fmt: skip
    return header, rows


def markdown(results: Mapping[str, Any]) -> str:
    """Returns the tables and what they mean."""
    results = plainly(results)
    lines = [
        f"# What each modality contributes: {results['file']}",
        "",
        f"{results['samples']} samples, {results['classes']} classes, "
        f"{results['kind'].replace('_', '-')} of each subset. ECE is the "
        "expected calibration error in 15 bins; contributions are true only "
        "as far as the outputs are calibrated.",
        "",
        markdown_table(*subsets(results)),
        "",
    ]
    if results["contributions"] is None and results["shapley"] is None:
        lines += [
            "There are no contributions: the outputs of all modalities but "
            "one are missing.",
            "",
        ]
    else:
        lines += [markdown_table(*contributions(results)), ""]
    decomposed = {k: x for k, x in results["decomposition"].items() if x}
    if any("value" in x for x in decomposed.values()):
        lines += [
            "What the modalities tell the model about the label, in bits "
            "(BROJA decomposition of its posteriors, 95 % intervals):",
            "",
            markdown_table(*decomposition(results)),
            "",
        ]
    for pair, found in decomposed.items():
        lines += [f"- {pair}: {doubt}" for doubt in found["doubts"]]
    if any(x["doubts"] for x in decomposed.values()):
        lines.append("")
    if any(results["agreement"].values()):
        lines += [
            "Of the samples, in %: right from each alone and from both "
            "together, from one of them alone, only from both together (the "
            "synergy rate), right from one or both alone but not from both "
            "together, and never.",
            "",
            markdown_table(*agreement(results)),
            "",
        ]
    return "\n".join(lines)


def write(
    folder: Path,
    results: Mapping[str, Any],
    values: Mapping[str, np.ndarray] | None,
) -> None:
    """Writes report.md, report.html and, of contributions, figures."""
    text = markdown(results)
    if values is not None:

        def draw() -> list[str]:
            arrays = {key: x[None] for key, x in values.items()}
            arrays["modalities"] = np.asarray(results["modalities"])
            return valuation.draw(
                folder / "figures" / "contributions.svg", arrays
            )

        text = "\n".join([text, *part("The figures", draw)])
    (folder / "report.md").write_text(text, encoding="utf-8")
    whole = page.of_markdown(text, folder, *_answered(results))
    (folder / "report.html").write_text(whole, encoding="utf-8")


def _answered(results: Mapping[str, Any]) -> tuple[list[str], str]:
    """The answer, and its picture as HTML."""
    phi = results["contributions"]
    if phi is None or None in phi["phi_cmi"]:
        best = max(results["subsets"].items(), key=lambda s: s[1]["accuracy"])
        return [
            f"With {best[0]}, the model is right on "
            f"{fixed(100 * best[1]['accuracy'], 1)} % of "
            f"{results['samples']:,} samples."
        ], ""
    mean = dict(zip(results["modalities"], phi["phi_cmi"], strict=True))
    return [answers.of_contributions(mean)], valuation.bars(mean)


def _number(value: float | None) -> str:
    """A number; in JSON null stands for one that is not finite."""
    return "not finite" if value is None else fixed(value, 2)
