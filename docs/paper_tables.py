"""What the pages of docs/papers are made of: a paper's items, and ours.

An item is a table, a figure or a study of a paper: what it is, the command that
makes its counterpart, their number where it is known, ours from docs/results,
and why they differ or why there is none. The items are in `papers_of_arm` and
`papers_of_bounds`; `docs.tables` puts them into the pages.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arm_jax.analysis import bridge
from arm_jax.reports import comparison_figures as figures
from arm_jax.reports import synergy as synergy_report
from arm_jax.reports.pieces import fixed, markdown_table, mean_and_sd
from arm_jax.workdir import JsonLines, read_json

_RESULTS = Path(__file__).parent / "results"
COUNTERPARTS = ("yes", "in part", "none")
UNKNOWN = "Not known: no text of it could be had."
# Of whose predictions on watch the interactions are kept.
PREDICTIONS = ("joint", "agm", "arm")
# Tables of a study whose values are kept one by one.
_FEW = 100
# Of the comparisons and of the reports on interactions.
DATA_SETS = ("watch", "avdigits", "avdigits_official", "mosi", "mfeat")


class Item(NamedTuple):
    """One item of a paper.

    Attributes:
      name: What it is, short: a heading.
      counterpart: Whether there is one here, see `COUNTERPARTS`.
      what: What the paper shows.
      theirs: Their numbers, or where they are not known, that.
      command: What makes the counterpart, as the shell takes it; "" for none.
      ours: Our numbers, from docs/results.
      why: Why they differ, or why there is no counterpart.
    """

    name: str
    counterpart: str
    what: str
    theirs: str
    command: str = ""
    ours: Callable[[], str] | None = None
    why: str = ""


def page(items: tuple[Item, ...]) -> str:
    """A table of all items, and a section for each."""
    lines = [
        markdown_table(
            ["item", "counterpart here"],
            [[item.name, item.counterpart] for item in items],
        )
    ]
    for item in items:
        lines += ["", f"## {item.name}", "", item.what]
        if item.command:
            lines += ["", "```bash", item.command, "```"]
        lines += ["", f"**Theirs.** {item.theirs}"]
        if item.ours is not None:
            ours = item.ours()
            gap = "\n\n" if ours.startswith("|") else " "
            lines += ["", f"**Ours.**{gap}{ours}"]
        if item.why:
            none = item.counterpart == "none"
            title = "Why none" if none else "The difference"
            lines += ["", f"**{title}.** {item.why}"]
    return "\n".join(lines)


def results(name: str) -> dict[str, Any]:
    """Committed results of that name."""
    return read_json(_RESULTS / f"{name}.json")


def collected(workdir: Path) -> dict[str, Any]:
    """What is taken of a workdir besides its results, by name."""
    blocks = workdir / "blocks.jsonl"
    if blocks.exists() and workdir.name.startswith("synergy_"):
        return {workdir.name: _synergy(JsonLines(blocks).read())}
    if workdir.name == "compare_watch":
        return {"curves_watch": _curves(workdir / "runs")}
    return {}


def _synergy(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of a study of bounds; of few tables each value."""
    values = {
        name: np.concatenate([r["values"][name] for r in records])
        for name in records[0]["values"]
    }
    count = len(values["synergy"])
    found = {
        "tables": count,
        "mean": {name: float(x.mean()) for name, x in values.items()},
        "violations": {
            name: sum(r["violations"][name] for r in records)
            for name in records[0]["violations"]
        },
        "worst": {
            name: max(r["worst"][name] for r in records)
            for name in records[0]["worst"]
        },
    }
    if count <= _FEW:
        kept = ("synergy", "lower", "upper", "achieved")
        found["values"] = {name: values[name].tolist() for name in kept}
    return found


def _curves(runs: Path) -> dict[str, Any]:
    """Ends of curves on watch, of each seed.

    The balanced loss of ARM in the first and the last epoch, and R, U1, U2, S
    of the predictions on validation in the last, by method.
    """
    curves = {
        label: figures.Curves([runs / label / "all" / "metrics.jsonl"])
        for label in PREDICTIONS
    }
    epochs, loss = curves["arm"].get("train", "contribution_gap")
    keys = [bridge.key(term, "accel", "gyro") for term in bridge.TERMS]
    return {
        "epochs": int(epochs[-1]),
        "first": loss[0].tolist(),
        "last": loss[-1].tolist(),
        "predictions": {
            label: [curve.get("validation", k)[1][-1].tolist() for k in keys]
            for label, curve in curves.items()
        },
    }


def contribution_gap(summary: Mapping[str, Any], label: str) -> np.ndarray:
    """Largest less smallest mean phi_CMI of each run, test split, in bits."""
    keys = [f"phi_cmi_{m}" for m in summary["modalities"]]
    runs = summary["results"][label]["runs"]
    values = np.array([[r["test"]["last"][k] for k in keys] for r in runs])
    return values.max(axis=1) - values.min(axis=1)


def joint_contribution(summary: Mapping[str, Any], label: str) -> np.ndarray:
    """Mean phi_MI of each run, test split, in bits."""
    runs = summary["results"][label]["runs"]
    return np.array([run["test"]["last"]["phi_mi"] for run in runs])


def bits(values: np.ndarray) -> str:
    """Mean and deviation over runs."""
    return f"{values.mean():.2f} +- {values.std(ddof=1):.2f}"


def over_sets(
    names: tuple[str, ...],
    labels: tuple[str, ...],
    cell: Callable[[Mapping[str, Any], str], str],
) -> str:
    """A table of methods by data sets."""
    summaries = [results(f"compare_{name}") for name in names]
    rows = [
        [
            label,
            *(
                cell(s, label) if label in s["results"] else "none"
                for s in summaries
            ),
        ]
        for label in labels
    ]
    return markdown_table(["method", *names], rows)


def accuracy(key: str) -> Callable[[Mapping[str, Any], str], str]:
    """A cell of `over_sets`: a score in %, mean and deviation."""
    return lambda s, label: mean_and_sd(np.asarray(s["accuracies"][label][key]))


def violations(names: tuple[str, ...]) -> str:
    """Bounds of the random tables: mean, and how often wrong."""
    found = results("synergy_random")
    lower = (*synergy_report.LOWER, *synergy_report.RELEASED)
    rows = [
        [
            name,
            "lower" if name in lower else "upper",
            fixed(found["mean"][name], 4),
            f"{found['violations'][name]:,}",
            fixed(max(found["worst"][name], 0), 3),
        ]
        for name in names
    ]
    header = ["bound", "side", "mean", "violations", "worst"]
    return markdown_table(header, rows)
