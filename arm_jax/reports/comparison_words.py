"""What the tables of a comparison are on, in words."""

from collections.abc import Mapping
from typing import Any

from arm_jax.reports import scores as scores_report


def basis(summary: Mapping[str, Any]) -> str:
    """What the tables are on."""
    examples = f"{summary['examples']} examples"
    count = len(set(summary["variants"]))
    if count > 1:
        examples += f" in the first of {count} variants"
    runs = len(summary["variants"])
    over = f"mean +- sd over {runs} runs" if runs > 1 else "one run"
    return f"{summary['split'].capitalize()} split ({examples}), {over}"


def introduction(summary: Mapping[str, Any]) -> str:
    """What the tables are on, and what their columns are."""
    measure = scores_report.word(summary)
    several = "accuracies" if measure == "accuracy" else measure
    about = f"{basis(summary)}, {several} in %"
    if summary["split"] == "test":
        about += (
            ". `last` is the last epoch, `selected` the best one on "
            "validation; all else is at the last epoch. Shapley: share of each "
            f"modality in the {measure}, in points."
        )
    else:
        about += " at the last epoch. The test split has no part in this."
    task = scores_report.about(summary)
    if task:
        about += f" {task}"
    if len(summary["variants"]) < 2:
        return (
            f"{about} The difference is that of the fused {measure} to the "
            "first row; one run does not say whether it is chance."
        )
    count = len(set(summary["variants"]))
    over = f", over the means of the {count} variants" if count > 1 else ""
    return (
        f"{about} The difference is that of the fused {measure} to the first "
        f"row, paired by run, with its 95 % interval (Student's t{over})."
    )
