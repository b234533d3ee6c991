"""The items of ARM's paper, for docs/papers/arm.md."""

from collections.abc import Mapping
from typing import Any

from arm_jax.reports.pieces import markdown_table
from docs.paper_tables import (
    DATA_SETS,
    UNKNOWN,
    Item,
    accuracy,
    bits,
    contribution_gap,
    joint_contribution,
    over_sets,
    results,
)

_TWO = ("watch", "avdigits", "avdigits_official")
_NO_DATA = (
    "The data cannot be had here. Whoever has them runs the commands above; "
)


def _gap(summary: Mapping[str, Any], label: str) -> str:
    return bits(contribution_gap(summary, label))


def _joint(summary: Mapping[str, Any], label: str) -> str:
    return bits(joint_contribution(summary, label))


_RIVALS = ("joint", "agm", "mla", "sample_valuation", "arm")
_ALL = (
    "joint", "unimodal", "uniform", "ogm_ge", "agm", "mla", "pmr",
    "sample_valuation", "arm_released", "arm",
)  # fmt: skip


def _dominant() -> str:
    """Each data set's modality that is best alone under joint training."""
    best = {"watch": "accel", "avdigits": "image", "avdigits_official": "image"}
    rows = []
    for label in (*_RIVALS[:1], "unimodal", *_RIVALS[1:]):
        cells = [
            accuracy(f"accuracy_{m}")(results(f"compare_{name}"), label)
            for name, m in best.items()
        ]
        rows.append([label, *cells])
    header = [f"{name}, {m}" for name, m in best.items()]
    return markdown_table(["method", *header], rows)


def _loss() -> str:
    found = results("curves_watch")
    ends = {
        when: f"{min(found[when]):.3f} to {max(found[when]):.3f}"
        for when in ("first", "last")
    }
    return (
        f"On watch, {len(found['last'])} seeds: {ends['first']} nats in the "
        f"first epoch, {ends['last']} in epoch {found['epochs']}."
    )


ARM = (
    Item(
        "Figure 1: the dominant modality under methods against imbalance",
        "yes",
        "On Kinetics-Sounds: its accuracy under Greedy, AGM and "
        "Sample-valuation, against joint training.",
        "A figure. The abstract says that earlier methods strengthen the weak "
        "modality at the dominant one's expense.",
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        _dominant,
        "Other data; `greedy` is not in this comparison (it is in "
        "`--config=watch:tuned`). What the modality reaches alone is in the "
        "row unimodal: joint training is furthest below it, and each of these "
        "methods brings it nearer.",
    ),
    Item(
        "Figure 2: the scheme",
        "in part",
        "phi_MI and phi_CMI, and three parts: fusion, balanced loss, "
        "re-sampling.",
        "A drawing; the equations could not be had.",
        "arm-jax train --config=watch:arm --workdir=runs/watch_arm",
        None,
        "`arm_jax/methods/arm.py` is a reconstruction of the description, and "
        "says so. `arm_released` is what the released code does, which has "
        "neither the loss nor the re-sampling.",
    ),
    Item(
        "Figure 3: the contribution gap narrows",
        "yes",
        "On UCF-51, by epoch.",
        UNKNOWN,
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        lambda: over_sets(_TWO, _ALL, _gap),
        "Other data. In bits, on the test split at the last epoch. On watch "
        "the methods that train each modality halve it; with new speakers "
        "(avdigits) they widen it. The curves by epoch are the figure "
        "methods_gap of the report.",
    ),
    Item(
        "Figure 4: the joint contribution",
        "yes",
        "Mean over training samples on Kinetics-Sounds and UCF-51, for Greedy, "
        "MLA, Sample-valuation and ARM.",
        UNKNOWN,
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        lambda: over_sets(DATA_SETS, _RIVALS, _joint),
        "Other data. In bits, on the test split. ARM's is the lowest on four "
        "of the five, though its accuracy is not: the probabilities of its "
        "predictions fit less well. Curves on the training samples are the "
        "figure methods_joint_contribution.",
    ),
    Item(
        "Figure 5: the balanced loss in five runs",
        "yes",
        "The min-max loss, five runs from one initialisation.",
        UNKNOWN,
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        _loss,
        "Other data, our reconstruction of the loss, and a seed draws the "
        "initialisation, too.",
    ),
    Item(
        "Table: accuracy on Kinetics-Sounds, UCF-51 and Food-101",
        "in part",
        "ARM against the methods before it.",
        "Not known. A later paper of the same group is said to beat a re-run "
        "of ARM with Kinetics-Sounds 72.56, CREMA-D 74.91, UCF-51 76.30 "
        "(second-hand): ARM is below. The log in the released repository ends "
        "at 68.8 on Kinetics-Sounds, but its accuracies are no fractions of "
        "its validation set.",
        "arm-jax compare --config=kinetics_sounds --workdir=runs/compare_ks\n"
        "arm-jax compare --config=ucf51 --workdir=runs/compare_ucf51\n"
        "arm-jax compare --config=food101 --workdir=runs/compare_food101",
        lambda: over_sets(DATA_SETS, _ALL, accuracy("accuracy")),
        _NO_DATA
        + "the numbers are of the data sets that can be had, fused accuracy "
        "in %, last epoch. See [the comparison](../comparison.md) for what "
        "differs beyond the noise.",
    ),
    Item(
        "Table: ablation",
        "yes",
        "ARM without each of its parts.",
        UNKNOWN,
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        lambda: over_sets(
            ("watch", "avdigits", "mfeat"),
            (
                "arm", "arm_no_fusion", "arm_no_balance", "arm_no_resampling",
                "uniform",
            ),
            accuracy("accuracy"),
        ),
        "Other data. Re-sampling is the part that matters; the other two add "
        "nothing that stands out of the noise.",
    ),
    Item(
        "Table: sensitivity",
        "yes",
        "Weights of the loss.",
        UNKNOWN,
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        lambda: over_sets(
            ("watch", "avdigits", "mfeat"),
            (
                "arm", "arm_balance_half", "arm_balance_double",
                "arm_unimodal_half", "arm_unimodal_double",
            ),
            accuracy("accuracy"),
        ),
        "Whether the paper has this table is not known: of its eight tables "
        "and nine figures only those above are.",
    ),
    Item(
        "Theorem 1, Algorithm 1, and the rest",
        "none",
        "16 equations, one theorem, one algorithm, the remaining figures and "
        "tables.",
        UNKNOWN,
        why="What is not known cannot be repeated. The formulas that are used "
        "instead are in [What phi_CMI measures](../concepts/contributions.md).",
    ),
)  # fmt: skip
