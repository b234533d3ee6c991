"""The report of one training: tables, report.md, report.html and figures.

All of it is made from what the workdir holds, so it can be made again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.analysis.interactions import TERMS, computed
from arm_jax.reports import answers, page, scores
from arm_jax.reports.pieces import (
    figure,
    fixed,
    markdown_table,
    mean_and_sd,
    part,
    percent,
    plain,
)
from arm_jax.workdir import JsonLines, write_text

# Which variables a test accuracy belongs to.
EPOCHS = ("last", "selected")


def results_table(results: Mapping[str, Any]) -> str:
    """Test accuracy in %, fused and alone: last epoch and selected."""
    columns = accuracy_keys(results)
    rows = [
        [which, *(accuracy(results, which, key) for key in columns.values())]
        for which in EPOCHS
    ]
    return markdown_table(["epoch", *columns], rows)


def accuracy_keys(results: Mapping[str, Any]) -> dict[str, str]:
    """Returns what is predicted with, and its key in the scores."""
    alone = {f"{m} alone": f"accuracy_{m}" for m in results["modalities"]}
    return {"fused": "accuracy"} | alone


def accuracy(results: Mapping[str, Any], which: str, key: str) -> str:
    """Returns the mean and deviation over seeds of a test accuracy, in %."""
    return mean_and_sd(percent(results, key, which))


def write(
    workdir: Path, results: Mapping[str, Any], trouble: Sequence[str] = ()
) -> None:
    """Writes report.md, its figures, and report.html with them inside.

    Args:
      workdir: Folder of the run.
      results: As in results.json.
      trouble: Sentences on what the results lack.
    """
    curves = part(
        "The learning curves", lambda: _learning_curves(workdir, results)
    )
    described = part(
        "The interactions", lambda: _interactions(workdir, results)
    )
    measure = scores.word(results)
    beyond = part(f"What is beyond {measure}", lambda: scores.section(results))
    warning = scores.warning(results)
    seeds = [run["seed"] for run in results["runs"]]
    selected = [str(run["selected_step"]) for run in results["runs"]]
    lines = [
        f"# {results['method']} on {plain(results['dataset'])}",
        "",
        f"Test {measure} in % ({results['examples']['test']} examples; mean +- "
        f"sd over seeds {', '.join(map(str, seeds))}), fused and of each "
        "modality alone (the others masked), after the last epoch (step "
        f"{results['steps']}) and at the best epoch on validation (step "
        f"{', '.join(selected)}).",
        "",
        results_table(results),
        "",
        *([about, ""] if (about := scores.about(results)) else []),
        *([warning, ""] if warning else []),
        f"Training took {results['training_seconds']:.0f} s.",
        "",
        *curves,
        "",
        *beyond,
        *described,
        *trouble,
    ]
    text = "\n".join(lines) + "\n"
    # Whole or not at all: what is there is not made again.
    write_text(workdir / "report.md", text)
    whole = page.of_markdown(
        text,
        workdir,
        [
            answers.of_training(
                *accuracies(results),
                labels=len(results.get("label_names", ())),
                number="target" in results,
            )
        ],
        accuracy_bars({results["method"]: results}),
    )
    write_text(workdir / "report.html", whole)


def accuracies(
    results: Mapping[str, Any],
) -> tuple[str, dict[str, float], int]:
    """Returns the method, its mean accuracies in %, and of how many examples.

    They are those of the last epoch, fused and of each modality alone.
    """
    means = {
        name.removesuffix(" alone"): float(percent(results, key).mean())
        for name, key in accuracy_keys(results).items()
    }
    return results["method"], means, results["examples"]["test"]


def accuracy_bars(some: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns bars of the accuracies of the last epoch, as HTML.

    Args:
      some: Results by name of the method.
    """
    rows = []
    for name, key in accuracy_keys(next(iter(some.values()))).items():
        for number, (method, results) in enumerate(some.items()):
            values = percent(results, key)
            mean = float(values.mean())
            spread = None
            if len(values) > 1:
                half = float(values.std(ddof=1))
                spread = mean - half, mean + half
            rows.append(
                page.Bar(
                    f"{name}, {method}" if len(some) > 1 else name,
                    [(method if len(some) > 1 else "", mean, number)],
                    f"{mean_and_sd(values)} %",
                    spread,
                )
            )
    first = next(iter(some.values()))
    on = "labels of examples" if "label_names" in first else "examples"
    what = f"How often the model is right on {on}"
    if "target" in first:
        of = "numbers'" if "label_names" in first else "number's"
        what = f"How much of the {of} variance is explained on examples"
    return page.bars(
        rows,
        100.0,
        f"{what} that it has not seen, with "
        "all modalities (fused) and with one alone, after the last epoch "
        "(mean; line: one sd over seeds to either side).",
    )


def interactions_table(interactions: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the PID of each pair in bits; doubts and what is left out below.

    Args:
      interactions: As `arm_jax.analysis.interactions` makes them.
    """
    rows, blocks = [], []
    for pair, found in interactions.items():
        if "reason" in found:
            blocks.append(plain(f"{pair} is left out: {found['reason']}."))
            continue
        rows.append([pair, *(_with_interval(found, term) for term in TERMS)])
        blocks += [plain(f"{pair}: {doubt}.") for doubt in found["doubts"]]
    if rows:
        header = ["modalities", "R", "U1", "U2", "S"]
        blocks.insert(0, markdown_table(header, rows))
    return "\n\n".join(blocks)


def _with_interval(found: Mapping[str, Any], term: str) -> str:
    if found[term] is None:
        return "none"
    low, high = (fixed(end, 2) for end in found["interval"][term])
    return f"{fixed(found[term], 2)} [{low}, {high}]"


def _interactions(workdir: Path, results: Mapping[str, Any]) -> list[str]:
    pairs = results.get("interactions", {})
    if not pairs:
        return []
    lines = ["", "## Interactions in the predictions", ""]
    with_numbers = computed(pairs)
    if with_numbers:
        pid = next(iter(with_numbers.values()))
        lines += [
            "What the model has learned of each modality and of both: its "
            "posteriors of the test examples from each alone and from both, "
            "calibrated out of fold, decomposed in bits [95 % interval] into "
            "what both say (redundancy R), what only the first or the second "
            "does (U1, U2), and what only both together do (synergy S); "
            f"{pid['samples']} examples, the first seed. What simple "
            "classifiers make of the same data, whatever the training: "
            "`arm-jax quantify`.",
            "",
        ]
    lines.append(interactions_table(pairs))
    if with_numbers:
        _interactions_figure(workdir, with_numbers)
        lines += [
            "",
            "![Interactions in the predictions, as in the table]"
            "(figures/interactions.svg)",
        ]
    return lines


def _learning_curves(workdir: Path, results: Mapping[str, Any]) -> list[str]:
    records = JsonLines(workdir / "metrics.jsonl").read()
    measure = scores.word(results)

    def draw(axis: Any, split: str, key: str, label: str, **style: Any) -> None:
        by_step: dict[int, list[float]] = {}
        for record in records:
            if record["split"] == split:
                by_step.setdefault(record["step"], []).append(record[key])
        # What was not finite is null in the file.
        values = np.asarray(list(by_step.values()), np.float64)
        (line,) = axis.plot(
            list(by_step), values.mean(axis=1), label=label, **style
        )
        if values.shape[1] > 1:
            axis.fill_between(
                list(by_step),
                values.min(axis=1),
                values.max(axis=1),
                color=line.get_color(),
                alpha=0.15,
                linewidth=0,
            )

    folder = workdir / "figures"
    size = (4.6, 3.4)
    with figure(folder / "loss.svg", figsize=size) as (_, axis):
        draw(axis, "train", "cross_entropy", "training", alpha=0.6)
        draw(axis, "validation", "loss", "validation")
        axis.set(xlabel="step", ylabel="cross-entropy, fused (nats)")
        if measure == "accuracy":
            # That of a density may be negative.
            axis.set(ylim=(0, None))
        axis.legend()
    with figure(folder / "accuracy.svg", figsize=size) as (_, axis):
        draw(axis, "validation", "accuracy", "fused", color="black")
        for name in results["modalities"]:
            draw(axis, "validation", f"accuracy_{name}", f"{name} alone")
        axis.set(xlabel="step", ylabel=f"validation {measure}")
        axis.legend()
    with figure(folder / "contribution.svg", figsize=size) as (_, axis):
        for name in results["modalities"]:
            draw(axis, "validation", f"phi_cmi_{name}", name)
        axis.set(xlabel="step", ylabel="mean phi_CMI (bits)")
        axis.legend()
    return [
        "![Loss while training](figures/loss.svg)",
        f"![Validation {measure} while training, with all modalities and with "
        "each alone](figures/accuracy.svg)",
        "![Contribution of each modality given the others while "
        "training](figures/contribution.svg)",
        "",
        "Lines are means over seeds, bands their range.",
    ]


def _interactions_figure(
    workdir: Path, pairs: Mapping[str, Mapping[str, Any]]
) -> None:
    path = workdir / "figures" / "interactions.svg"
    size = (4.6, 1.4 + 0.4 * len(pairs))
    with figure(path, figsize=size) as (_, axis):
        left = [0.0] * len(pairs)
        for key, label in (
            ("redundancy", "redundancy"),
            ("unique1", "unique to the first"),
            ("unique2", "unique to the second"),
            ("synergy", "synergy"),
        ):
            # A synergy below 0 is one that the model has not learned.
            widths = [max(pid[key] or 0.0, 0.0) for pid in pairs.values()]
            axis.barh(list(pairs), widths, left=left, label=label, height=0.6)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axis.set(xlabel="information about the label (bits)")
        axis.invert_yaxis()
        axis.grid(visible=False, axis="y")
        axis.legend(
            ncols=2, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize=8
        )
