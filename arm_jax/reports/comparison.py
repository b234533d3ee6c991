"""Tables and figures of a comparison of methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports import answers, comparison_scores, page
from arm_jax.reports import comparison_figures as figures
from arm_jax.reports import scores as scores_report
from arm_jax.reports import tuning as tuning_report
from arm_jax.reports.comparison_figures import (
    Accuracies,
    Curves,
    by_variant,
)
from arm_jax.reports.comparison_words import basis, introduction
from arm_jax.reports.pieces import (
    difference,
    fixed,
    markdown_table,
    mean_and_sd,
    paired,
    part,
    percent,
    plain,
)
from arm_jax.reports.training import accuracy_keys
from arm_jax.workdir import write_json

Results = Mapping[str, Mapping[str, Any]]
# What a report can be on.
SPLITS = ("test", "validation")
# The method that trains every modality alone.
_ALONE = "unimodal"


def write(
    folder: Path,
    split: str,
    groups: Sequence[tuple[str, Sequence[str]]],
    results: Results,
    curves: Mapping[str, Curves],
    choices: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    in_order: bool = False,
) -> None:
    """Writes summary.json, table.md, report.html and the figures.

    On "validation" the test split has no part in them. `choices` are those of
    tuning, see arm_jax.reports.tuning; `in_order` as in `summarize`.
    """
    summary = summarize(split, groups, results, curves, in_order=in_order)
    if choices:
        summary["tuning"] = {
            label: [
                {k: x for k, x in one.items() if split == "test" or k != "test"}
                for one in of_label
            ]
            for label, of_label in choices.items()
        }
    write_json(folder / "summary.json", summary)
    first = next(iter(results.values()))
    lines = [
        f"# Methods on {plain(first['dataset'])}",
        "",
        introduction(summary),
    ]
    for group, labels in summary["groups"]:
        lines += ["", f"## {group}", "", *tables(summary, labels)]
        lines += _drawn(
            folder,
            group,
            {k: _arrays(summary["accuracies"][k]) for k in labels},
            {label: curves[label] for label in labels},
            first,
        )
    if choices:
        lines += ["## Tuning", "", *tuning(summary), ""]
    text = "\n".join(lines)
    (folder / "table.md").write_text(text, encoding="utf-8")
    whole = page.of_markdown(text, folder, *_answered(summary))
    (folder / "report.html").write_text(whole, encoding="utf-8")


def _answered(summary: Mapping[str, Any]) -> tuple[list[str], str]:
    """The answer and the picture of the first group, as HTML."""
    labels = summary["groups"][0][1]
    fused = {
        label: np.asarray(summary["accuracies"][label]["accuracy"], float)
        for label in labels
    }
    baseline = labels[0]
    gains, rows = {}, []
    for label, values in fused.items():
        mean = float(values.mean())
        said = f"{mean_and_sd(values)} %"
        if label != baseline and len(values) == len(fused[baseline]):
            of = fused[baseline], summary["variants"]
            gains[label] = paired(values, *of)
            said += f" ({difference(values, *of)})"
        spread = None
        if len(values) > 1:
            half = float(values.std(ddof=1))
            spread = mean - half, mean + half
        rows.append(page.Bar(label, [("", mean, 0)], said, spread))
    measure = scores_report.word(summary)
    several = len(summary["variants"]) > 1
    caption = (
        f"Fused {measure}, {basis(summary)}"
        f"{' (line: one sd to either side)' * several}; in parentheses the "
        f"difference to {baseline} in points"
        f"{', with its 95 % interval' * several}."
    )
    answer = answers.of_comparison(gains, baseline, measure)
    return [answer], page.bars(rows, 100.0, caption, legend=False)


def summarize(
    split: str,
    groups: Sequence[tuple[str, Sequence[str]]],
    results: Results,
    curves: Mapping[str, Curves],
    *,
    in_order: bool = False,
) -> dict[str, Any]:
    """Returns what the tables are made of, as JSON has it.

    Args:
      split: "test" or "validation".
      groups: Names of tables, and the labels of their rows.
      results: By label.
      curves: Likewise.
      in_order: Sort rows by their mean accuracy, the best first, behind the
        baseline, which stays the first row.

    Returns:
      `split`; `groups`, those that have a table, of the labels that are done;
      `dataset`, `modalities`, `examples`, and `label_names` where there are
      several at once, or `target` where it is a number; `variants`, that of
      each run; by label `accuracies`, in % on the split at the last epoch; and
      on the test split `results`, the scores of each run.
    """
    first = next(iter(results.values()))
    shown: list[tuple[str, list[str]]] = []
    told: set[str] = set()
    for group, labels in groups:
        done = [label for label in labels if label in results]
        # A row that stands above compares nothing by itself.
        if not done or (len(done) == 1 and told.issuperset(done)):
            continue
        told.update(done)
        shown.append((group, done))
    on_test = split == "test"
    summary: dict[str, Any] = {
        "split": split,
        "groups": shown,
        "dataset": first["dataset"],
        "modalities": first["modalities"],
        "examples": first["examples"][split],
        **{
            key: first[key] for key in ("label_names", "target") if key in first
        },
        "variants": [run["variant"] for run in first["runs"]],
        "accuracies": {
            label: _tested(one) if on_test else _validated(curves[label], one)
            for label, one in results.items()
            if label in told
        },
    }
    if in_order:
        mean = {
            label: np.nan_to_num(-np.mean(_arrays(x)["accuracy"]), nan=np.inf)
            for label, x in summary["accuracies"].items()
        }
        summary["groups"] = [
            (name, [baseline, *sorted(rest, key=mean.__getitem__)])
            for name, (baseline, *rest) in shown
        ]
    if on_test:
        summary["results"] = {
            label: {
                "modalities": one["modalities"],
                "runs": [
                    {"test": run["test"], "shapley": run["shapley"]}
                    | comparison_scores.kept(run, one["modalities"])
                    for run in one["runs"]
                ],
            }
            for label, one in results.items()
            if label in told
        }
    return summary


def tables(summary: Mapping[str, Any], labels: Sequence[str]) -> list[str]:
    """Returns the lines of the tables of one group."""
    accuracies = {k: _arrays(summary["accuracies"][k]) for k in labels}
    if summary["split"] == "test":
        scores = table(
            {k: summary["results"][k] for k in labels}, summary["variants"]
        )
    else:
        scores = accuracy_table(accuracies, summary["variants"])
    lines = [scores, ""]
    if _ALONE in labels:
        lines += [
            "Each modality alone, less what it reaches when it is trained "
            "alone (paired, 95 % interval):",
            "",
            alone_table(accuracies, summary["variants"]),
            "",
        ]
    if summary["split"] == "test":
        lines += comparison_scores.table(
            {k: summary["results"][k] for k in labels},
            several="label_names" in summary,
        )
    if len(set(summary["variants"])) > 1:
        lines += [
            "By variant, fused and (in parentheses) the best modality alone:",
            "",
            variants_table(accuracies, summary["variants"]),
            "",
        ]
    return lines


def tuning(summary: Mapping[str, Any]) -> list[str]:
    """Returns the lines of the table on what was chosen."""
    rows = tuning_report.table(
        summary["tuning"],
        on_test=summary["split"] == "test",
        variants=summary["variants"],
    )
    measure = scores_report.word(summary)
    return [tuning_report.ABOUT.replace("accuracy", measure), "", rows]


def _arrays(accuracies: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    # JSON keeps null in the place of what is not finite.
    return {key: np.asarray(x, float) for key, x in accuracies.items()}


def _drawn(
    folder: Path,
    group: str,
    accuracies: Accuracies,
    curves: Mapping[str, Curves],
    first: Mapping[str, Any],
) -> list[str]:
    """The lines of one group's figures, which it draws."""
    lines = []
    variants = [run["variant"] for run in first["runs"]]
    if len(set(variants)) > 1:
        drawn = figures.draw_variants(
            folder / "figures",
            figures.slug(group),
            accuracies,
            variants,
            scores_report.word(first),
        )
        lines += _images(drawn)
    empty = [
        label
        for label, curve in curves.items()
        if not len(curve.get("validation", "accuracy")[0])
    ]
    if empty:
        # Their table is from the results, which need no lines of metrics.
        names = ", ".join(empty)
        return [*lines, f"Without figures: no validation lines of {names}.", ""]
    return lines + part(
        "The figures",
        lambda: _images(figures.draw(folder, group, curves, first)),
    )


def _images(made: Sequence[tuple[str, str]]) -> list[str]:
    """Figures as Markdown, side by side on a page."""
    return [*(f"![{caption}](figures/{name})" for name, caption in made), ""]


def table(results: Results, variants: Sequence[str] = ()) -> str:
    """One row per label; the first one is what the others are compared with."""
    first = next(iter(results.values()))
    modalities = first["modalities"]
    alone = [f"accuracy_{m}" for m in modalities]
    baseline = percent(first, "accuracy")
    of_classes = "macro_f1" in first["runs"][0]["test"]["last"]
    rows: list[list[str]] = []
    for label, found in results.items():
        scores: list[np.ndarray] = [
            percent(found, "accuracy"),
            percent(found, "accuracy", "selected"),
            *(percent(found, key) for key in alone),
            *([percent(found, "macro_f1")] if of_classes else []),
            *(shares(found, m) for m in modalities),
        ]
        gain = difference(scores[0], baseline, variants) if rows else ""
        rows.append([label, *map(mean_and_sd, scores), gain])
    return markdown_table(
        [
            "method",
            "last",
            "selected",
            *(f"{m} alone" for m in modalities),
            *(["macro-F1"] if of_classes else []),
            *(f"Shapley {m}" for m in modalities),
            "difference",
        ],
        rows,
    )


def accuracy_table(accuracies: Accuracies, variants: Sequence[str] = ()) -> str:
    """One row per label: fused, each alone, difference to the first."""
    baseline = next(iter(accuracies.values()))
    rows: list[list[str]] = []
    for label, found in accuracies.items():
        fused = found["accuracy"]
        own = fused, baseline["accuracy"], variants
        gain = difference(*own) if rows else ""
        rows.append([label, *map(mean_and_sd, found.values()), gain])
    alone = [f"{m} alone" for m in _modalities(baseline)]
    return markdown_table(["method", "fused", *alone, "difference"], rows)


def alone_table(accuracies: Accuracies, variants: Sequence[str] = ()) -> str:
    """How far each modality alone is from being trained alone."""
    best = accuracies[_ALONE]
    rows = []
    for label, found in accuracies.items():
        if label == _ALONE:
            continue
        gains = [
            difference(found[key], best[key], variants)
            for key in best
            if key != "accuracy"
        ]
        rows.append([label, *gains])
    return markdown_table(["method", *_modalities(best)], rows)


def variants_table(accuracies: Accuracies, variants: Sequence[str]) -> str:
    """One row per run: fused and the best modality alone, by variant."""
    names = list(dict.fromkeys(variants))
    rows = []
    for label, found in accuracies.items():
        fused, best = by_variant(found, variants)
        cells = [
            f"{fixed(f.mean(), 1)} ({fixed(b.mean(), 1)})"
            for f, b in zip(fused, best, strict=True)
        ]
        rows.append([label, *cells])
    return markdown_table(["method", *names], rows)


def _tested(found: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {key: percent(found, key) for key in accuracy_keys(found).values()}


def _validated(
    curves: Curves, found: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Of the last epoch; NaN if the lines of metrics have none."""
    accuracies = {}
    for key in accuracy_keys(found).values():
        _, values = curves.get("validation", key)
        last = (
            values[-1] if len(values) else np.full(len(found["runs"]), np.nan)
        )
        accuracies[key] = 100 * last
    return accuracies


def _modalities(found: Mapping[str, np.ndarray]) -> list[str]:
    return [k.removeprefix("accuracy_") for k in found if k != "accuracy"]


def shares(found: Mapping[str, Any], modality: str) -> np.ndarray:
    """Shapley value of a modality in the accuracy, in points, of each run."""
    values = [run["shapley"][modality] for run in found["runs"]]
    return 100 * np.asarray(values, float)
