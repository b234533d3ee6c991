"""Trains one model and reports what it learned.

    python -m experiments.train --config=configs/watch.py:arm \
        --workdir=runs/watch_arm [--config.train.epochs=5 ...]

The same command resumes an interrupted run. The workdir holds config.json,
versions.json, metrics.jsonl, checkpoints/, results.json, report.md, figures/.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import config as config_lib
from arm_jax import loop
from arm_jax.workdir import JsonLines, open_workdir, read_json, write_json
from experiments import bridge, cli, interactions
from experiments.report import figure, markdown_table, mean_and_sd, percent

# Which variables a test accuracy belongs to.
EPOCHS = ("last", "selected")


def train(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    describe: bool = True,
) -> dict[str, Any] | None:
    """Trains one model into `workdir`, or returns to a run that is there.

    Args:
      config: a mapping for `arm_jax.config.Config`.
      workdir: folder of the run.
      progress: show a progress bar.
      describe: say how the modalities of the data interact, which takes some
        seconds and is the same in all runs on one data set.

    Returns:
      The results (as in results.json), or None if the run was interrupted.

    Raises:
      InputError: wrong configuration, data or workdir.
      TrainingError: the loss stopped being finite.
    """
    results_file = Path(workdir).expanduser() / "results.json"
    if results_file.exists():
        open_workdir(workdir, config)
        return read_json(results_file)
    run_config = config_lib.from_mapping(config_lib.Config, config)
    run = loop.prepare(run_config)
    folder = open_workdir(workdir, config)
    start = time.monotonic()
    outcome = loop.train(
        run,
        folder,
        progress=progress,
        measure=lambda predictions: bridge.of_predictions(
            predictions, run.model.modalities
        ),
    )
    timings = JsonLines(folder / "timings.jsonl")
    timings.append({"seconds": time.monotonic() - start})
    if outcome is None:
        return None
    last = run.score(outcome.last, "test")
    selected = run.score(outcome.best.variables, "test")
    shapley = run.shapley(outcome.last, "test")
    results = {
        "method": run_config.method.name,
        "dataset": run.dataset.name,
        "modalities": list(run.model.modalities),
        "examples": {k: len(v) for k, v in run.dataset.splits.items()},
        "steps": run.schedule.total,
        "class_names": list(run.dataset.class_names),
        "training_seconds": sum(r["seconds"] for r in timings.read()),
        "runs": [
            {
                "seed": seed,
                "selected_step": int(outcome.best.step[number]),
                "test": {"last": last[number], "selected": selected[number]},
                "shapley": shapley[number],
            }
            for number, seed in enumerate(run.seeds)
        ],
        "interactions": (
            interactions.of_split(run.dataset, "test") if describe else {}
        ),
    }
    write_report(folder, results)
    # Written last: its presence says that the run is finished.
    write_json(results_file, results)
    return results


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


def interactions_table(results: Mapping[str, Any]) -> str:
    """PID of each pair of modalities with the label, in bits."""
    rows = []
    for pair, pid in results["interactions"].items():
        numbers = (
            pid[k] for k in ("redundancy", "unique1", "unique2", "synergy")
        )
        rows.append([pair, *(f"{x:.3f}" for x in numbers)])
    return markdown_table(["modalities", "R", "U1", "U2", "S"], rows)


def write_report(workdir: Path, results: Mapping[str, Any]) -> None:
    """Writes report.md and its figures."""
    records = JsonLines(workdir / "metrics.jsonl").read()
    _learning_curves(workdir, records, results)
    _interactions_figure(workdir, results)
    pid = next(iter(results["interactions"].values()), None)
    seeds = [run["seed"] for run in results["runs"]]
    selected = [str(run["selected_step"]) for run in results["runs"]]
    lines = [
        f"# {results['method']} on {results['dataset']}",
        "",
        f"Test accuracy in % ({results['examples']['test']} examples; mean +- "
        f"sd over seeds {', '.join(map(str, seeds))}), fused and of each "
        "modality alone (the others masked), after the last epoch (step "
        f"{results['steps']}) and at the best epoch on validation (step "
        f"{', '.join(selected)}).",
        "",
        results_table(results),
        "",
        f"Training took {results['training_seconds']:.0f} s.",
        "",
        "![Learning curves](figures/learning_curves.png)",
        "",
        "Lines are means over seeds, bands their range.",
    ]
    if pid is not None:
        lines += [
            "",
            "## Interactions with the label",
            "",
            "Partial information decomposition (BROJA) in bits on the test "
            f"examples, each modality discretised to {pid['clusters']} "
            "clusters: redundancy R, what the first and the second know alone "
            "(U1, U2), synergy S. These are plug-in estimates from "
            f"{pid['samples']} samples, biased: their sum is too large.",
            "",
            interactions_table(results),
            "",
            "![Interactions](figures/interactions.png)",
        ]
    (workdir / "report.md").write_text("\n".join(lines) + "\n")


def _learning_curves(
    workdir: Path, records: list[dict[str, Any]], results: Mapping[str, Any]
) -> None:
    def draw(axis: Any, split: str, key: str, label: str, **style: Any) -> None:
        by_step: dict[int, list[float]] = {}
        for record in records:
            if record["split"] == split:
                by_step.setdefault(record["step"], []).append(record[key])
        values = np.asarray(list(by_step.values()))
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

    path = workdir / "figures" / "learning_curves.png"
    with figure(path, ncols=3, figsize=(11, 3.4)) as (_, axes):
        loss, accuracy, contribution = axes
        draw(loss, "train", "cross_entropy", "training", alpha=0.6)
        draw(loss, "validation", "loss", "validation")
        loss.set(
            xlabel="step",
            ylabel="cross-entropy, fused (nats)",
            ylim=(0, None),
            title="Loss",
        )
        draw(accuracy, "validation", "accuracy", "fused", color="black")
        for name in results["modalities"]:
            draw(accuracy, "validation", f"accuracy_{name}", f"{name} alone")
            draw(contribution, "validation", f"phi_cmi_{name}", name)
        accuracy.set(
            xlabel="step", ylabel="accuracy", title="Validation accuracy"
        )
        contribution.set(
            xlabel="step",
            ylabel=r"mean $\phi^{CMI}$ (bits)",
            title="Contribution given the others",
        )
        for axis in axes:
            axis.legend()


def _interactions_figure(workdir: Path, results: Mapping[str, Any]) -> None:
    found = results["interactions"]
    if not found:
        return
    path = workdir / "figures" / "interactions.png"
    size = (6.4, 1.2 + 0.5 * len(found))
    with figure(path, figsize=size) as (_, axis):
        left = [0.0] * len(found)
        for key, label in (
            ("redundancy", "redundancy"),
            ("unique1", "unique to the first"),
            ("unique2", "unique to the second"),
            ("synergy", "synergy"),
        ):
            widths = [pid[key] for pid in found.values()]
            axis.barh(list(found), widths, left=left, label=label, height=0.6)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axis.set(xlabel="information about the label (bits)")
        axis.invert_yaxis()
        axis.grid(visible=False, axis="y")
        axis.legend(
            ncols=4, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize=8
        )


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = cli.required(cli.WORKDIR)
    results = train(cli.config(), workdir)
    if results is None:
        print("interrupted; the same command resumes the run")
        return 130
    print(f"\nTest accuracy in %, {results['method']}:\n")
    print(results_table(results))
    if results["interactions"]:
        print("\nInteractions of the modalities with the label, in bits:\n")
        print(interactions_table(results))
    print(f"\nreport: {Path(workdir) / 'report.md'}")
    return 0


if __name__ == "__main__":
    cli.run(main)
