"""The report of the demo: two methods on two sensors, and what they know."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports import answers, page, quantify, quantify_html
from arm_jax.reports.pieces import fixed, markdown_table, mean_and_sd, percent
from arm_jax.reports.training import (
    EPOCHS,
    accuracies,
    accuracy,
    accuracy_bars,
    accuracy_keys,
)
from arm_jax.workdir import read_json, read_results

# The one that neglects a modality, and the one that does not.
METHODS = ("joint", "arm")
_FIGURES = {
    "accuracy": "Validation accuracy while training by",
    "contribution": "Contribution of each sensor given the other, by",
}


def comparison_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Test accuracy in %, mean and deviation over seeds, methods side by side.

    Args:
      results: Method name to its results.
    """
    columns = accuracy_keys(next(iter(results.values())))
    rows = [
        [epoch, name, *(accuracy(r, epoch, key) for r in results.values())]
        for epoch in EPOCHS
        for name, key in columns.items()
    ]
    return markdown_table(["epoch", "prediction", *results], rows)


def text(
    results: Mapping[str, Mapping[str, Any]], interactions: Mapping[str, Any]
) -> str:
    """Returns what the demo prints.

    Args:
      results: Method name to its results.
      interactions: What `arm_jax.quantify` says of the same data.
    """
    first = results[METHODS[0]]
    return "\n".join(
        [
            f"Test accuracy in % on {first['dataset']} "
            f"({first['examples']['test']} windows of unseen subjects), mean "
            f"+- sd over {len(first['runs'])} seeds:",
            "",
            comparison_table(results),
            "",
            "What the two sensors know about the exercise, in bits [95 % "
            "interval]:",
            "",
            markdown_table(*quantify.posteriors_table(interactions)),
            "",
            answers.of_interactions(interactions),
        ]
    )


def read(workdir: Path) -> dict[str, Any]:
    """Returns the results of a finished demo, by method, and "interactions"."""
    trained = {m: read_json(workdir / m / "results.json") for m in METHODS}
    asked = read_results(workdir / "interactions" / "results.json")
    return trained | {"interactions": asked}


def html(
    results: Mapping[str, Mapping[str, Any]],
    interactions: Mapping[str, Any],
    workdir: Path,
) -> str:
    """Returns the demo's report as one page.

    Args:
      results: Method name to its results.
      interactions: What `arm_jax.quantify` says of the same data.
      workdir: Folder of the demo, with those of the methods in it.
    """
    names = next(iter(results.values()))["modalities"]
    advice = answers.of_interactions(interactions)
    body = [
        page.heading("Training"),
        accuracy_bars(results),
        page.figures(
            [
                page.figure(
                    (workdir / method / "figures" / f"{name}.svg").read_text(
                        encoding="utf-8"
                    ),
                    f"{caption} {method}",
                )
                for name, caption in _FIGURES.items()
                for method in results
            ]
        ),
        *page.markdown(comparison_table(results), workdir),
        page.heading("Contributions"),
        page.paragraph(
            "What a sensor adds, in bits, to what the model learns from the "
            "other about a window (phi_CMI), and its share in the accuracy "
            "(Shapley value, points)."
        ),
        *page.markdown(_contributions(results, names), workdir),
        page.heading("Interactions"),
        page.paragraph(
            "Whatever the method: what the two sensors can say about the "
            "exercise, measured by classifiers of each and of both."
        ),
        *quantify_html.parts(interactions),
        page.heading("What follows"),
        page.items(
            [
                advice,
                "A sensor that joint training leaves unused is no use when the "
                "other one fails: compare the bars of each alone.",
                "The same of your own arrays: `arm-jax quantify my.npz`, "
                "`arm-jax train --config=npz:arm "
                "--config.data.options.path=my.npz --workdir=runs/mine`.",
            ]
        ),
    ]
    return page.page(
        f"Two sensors: {' against '.join(results)}",
        [_neglect(results), advice],
        body,
    )


def _neglect(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What becomes of the weaker sensor, in one sentence."""
    (_, joint, examples), (_, arm, _) = map(accuracies, results.values())
    weak = min((m for m in joint if m != "fused"), key=lambda m: joint[m])
    first, second = results
    cells = [fixed(x, 1) for x in (joint[weak], arm[weak])]
    fused = [fixed(x, 1) for x in (joint["fused"], arm["fused"])]
    return (
        f"Asked alone, the {weak} sensor is right on {cells[0]} % of "
        f"{examples:,} windows of unseen people after {first} training and on "
        f"{cells[1]} % after {second}; with both sensors the models reach "
        f"{fused[0]} % and {fused[1]} %."
    )


def _contributions(
    results: Mapping[str, Mapping[str, Any]], names: list[str]
) -> str:
    rows = []
    for method, found in results.items():
        for name in names:
            bits = percent(found, f"phi_cmi_{name}") / 100
            share = [100 * run["shapley"][name] for run in found["runs"]]
            rows.append(
                [
                    method,
                    name,
                    mean_and_sd(bits, 2),
                    mean_and_sd(np.asarray(share)),
                ]
            )
    header = ["method", "sensor", "phi_CMI (bits)", "Shapley (points)"]
    return markdown_table(header, rows)
