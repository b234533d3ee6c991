"""The items of the papers on interactions, for pages of docs/papers."""

from collections.abc import Sequence

import numpy as np

from arm_jax.reports import published, quantify, recovery, truth
from arm_jax.reports.pieces import fixed, markdown_table
from docs.paper_tables import DATA_SETS, Item, bits, results, violations


def _random() -> str:
    found = results("synergy_random")
    mean = found["mean"]
    return (
        f"In the mean over {found['tables']:,} tables S is "
        f"{mean['synergy']:.3f} bits, in an interval from {mean['lower']:.3f} "
        f"to {mean['upper']:.3f}, of which {mean['achieved']:.3f} is achieved "
        "by some joint.\n\n"
        + violations(
            (
                "redundancy",
                "disagreement",
                "released_redundancy",
                "released_difference",
                "released",
                "envelope",
            )
        )
    )


_PARTS = ["R", "U1", "U2", "S"]


def _parts(values: Sequence[float]) -> list[str]:
    return [fixed(value, 3) for value in values]


def _bits() -> str:
    found = results("paper_examples")["dropped_bits"]
    low, high = found["interval"]
    return (
        f"Of the exact law, S is {fixed(found['value'][3], 3)} bits and the "
        f"rest 0; from pairs of two, S is in [{fixed(low, 3)}, "
        f"{fixed(high, 3)}]."
    )


def _disagreeing() -> str:
    found = results("paper_examples")["disagreeing"]
    rows = [
        [f"{i}", *_parts(one["value"]), *_parts(one["interval"])]
        for i, one in enumerate(found, start=1)
    ]
    return markdown_table(["table", *_PARTS, "lower", "upper"], rows)


def _clean_gates() -> str:
    found = results("paper_examples")["gates"]
    rows = [[gate, *_parts(values)] for gate, values in found.items()]
    return markdown_table(["gate", *_PARTS], rows)


def _mixtures() -> str:
    found = results("paper_examples")
    rows = [
        [name, f"{angle} degrees", *_parts(values)]
        for name, by_angle in found["mixtures"].items()
        for angle, values in zip(found["angles"], by_angle, strict=True)
    ]
    return markdown_table(["coordinates", "means at", *_PARTS], rows)


def _predictions() -> str:
    rows = []
    for label, values in results("curves_watch")["predictions"].items():
        rows.append([label, *(bits(np.array(seeds)) for seeds in values)])
    return markdown_table(["watch, predictions of", *_PARTS], rows)


def _gates() -> str:
    """Every gate at three strengths of noise."""
    found = results("synergy_logic")["values"]
    noises = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
    rows = []
    for i, gate in enumerate(("AND", "OR", "XOR")):
        for noise in (0.0, 0.1, 0.3):
            at = i * len(noises) + noises.index(noise)
            rows.append(
                [gate, f"{noise:.0%}"]
                + [
                    fixed(found[name][at], 3)
                    for name in ("synergy", "lower", "upper")
                ]
            )
    return markdown_table(
        ["gate", "labels flipped", "S", "lower", "upper"], rows
    )


def _null() -> str:
    null = results("published")["null"]
    rows = [row for one in null for row in one["rows"]]
    gained = [
        one["trivial"] - one["upper"] for one in results("published")["bounds"]
    ]
    return (
        f"{sum(row['even'] for row in rows)} of their {len(rows)} rows exceeds "
        "what an independent label gives on clusters of equal size. On six "
        "tables of that kind of ours the best upper bound is below the trivial "
        f"one by {fixed(min(gained), 3)} to {fixed(max(gained), 3)} bits. On "
        "data of ours, with few symbols:\n\n" + _without_labels()
    )


def _without_labels() -> str:
    rows = []
    for name in DATA_SETS:
        header, own = quantify.table(results(f"quantify_{name}"))
        keep = [header.index(k) for k in ("S", "S without pair labels")]
        rows += [[f"{name}: {row[0]}", *(row[i] for i in keep)] for row in own]
    return markdown_table(["pair", "S", "S without pair labels"], rows)


def _accuracies() -> str:
    rows = []
    for name in DATA_SETS:
        header, own = quantify.accuracy_table(results(f"quantify_{name}"))
        keep = [
            header.index(k)
            for k in (
                "best of both",
                "best of both without pair labels",
                "both, network",
            )
        ]
        rows += [[f"{name}: {row[0]}", *(row[i] for i in keep)] for row in own]
    return markdown_table(
        ["pair", "best of both", "without pair labels", "a network"], rows
    )


def _decisions() -> str:
    return markdown_table(*recovery.decision_table(results("recovery_fitted")))


ICLR2024 = (
    Item(
        "Study of random bitwise tables",
        "yes",
        "100,000 tables 2x2x2, uniform on the simplex: S against its bounds.",
        "A figure; no numbers are in the released output. It was read as: "
        "lower bounds are tight, the upper one is loose where S is small.",
        "arm-jax synergy --config=synergy --workdir=runs/synergy_random",
        _random,
        "The law of the tables is the same. The released disagreement bound "
        "takes a constant that is not proven, and is no bound on 3 % of them; "
        "ours takes the proven one. The upper bound is by linear programs and "
        "branch and bound in place of one coupling.",
    ),
    Item(
        "Tables of much synergy and disagreement",
        "yes",
        "Tables whose modalities disagree, kept in the released notebook.",
        "The tables; their values are not in the released output.",
        "python -m docs.checks.paper_examples",
        _disagreeing,
        "The lower bound from pairs shows most of the synergy of the first "
        "table, and nothing of that of the third.",
    ),
    Item(
        "Parity with dropped bits",
        "yes",
        "The parity of three bits of each modality, some of which are dropped "
        "when the label has been made; 10,000 samples.",
        "Not in the released output.",
        "python -m docs.checks.paper_examples",
        _bits,
        "Ours is the exact law and not samples. Neither modality knows the "
        "parity alone, so that pairs of two say nothing about S.",
    ),
    Item(
        "Table of real data: S and its bounds",
        "in part",
        "15 pairs of modalities of seven data sets in 20 x 20 clusters: S, two "
        "lower bounds, the upper bound.",
        "All rows are on the page of "
        "[the published numbers](../published.md), from the stored output of "
        "the authors' notebook.",
        "arm-jax study --config=published --workdir=runs/published",
        _null,
        "The features of these data sets cannot be had here, so their rows are "
        "examined and not repeated. Every published upper bound is H(Y) - "
        "T_min, which needs no method.",
    ),
    Item(
        "Table of estimated performance",
        "in part",
        "From the bounds, an interval of the accuracy of the best multimodal "
        "model, beside what models reach.",
        "The estimates were not found. Best models in the released results: "
        "MIMIC 91.7 %, ENRICO 52.1 %, UR-FUNNY 61.0 to 64.8 %, MOSEI 65.2 to "
        "81.0 %, MUStARD 61.6 to 70.3 %.",
        "arm-jax quantify --config=watch --workdir=runs/quantify_watch",
        _accuracies,
        "Other data; intervals of the best classifier of few symbols, with and "
        "without labels of pairs, and the accuracy of a network that sees the "
        "features. The paper's bound holds for uniform labels; ours inverts "
        "Fano's inequality exactly and holds for all.",
    ),
    Item(
        "Is it worth collecting or fusing?",
        "yes",
        "Whether estimates tell which modality to collect, and which fusion to "
        "take.",
        "In words: estimates predict gains. No numbers were found.",
        "arm-jax study --config=recovery:fitted --workdir=runs/recovery_fitted",
        _decisions,
        "Ours is on problems whose right answer is known.",
    ),
    Item(
        "Robustness to label noise",
        "in part",
        "UR-FUNNY and MOSI, up to 80 % of the labels perturbed.",
        'In words: "bounds stable". No numbers were found.',
        "arm-jax synergy --config=synergy:logic --workdir=runs/synergy_logic",
        _gates,
        "Gates in place of these data sets. Noise shrinks S, and of AND and OR "
        "it widens the interval: clean labels determine the joint law, noisy "
        "ones do not.",
    ),
    Item(
        "Self-supervised learning that embraces disagreement",
        "none",
        "An application in the first version of the preprint.",
        "None found, and no code; the published version leaves it out.",
        why="It is neither quantifying nor balancing.",
    ),
)


def _companion() -> str:
    return markdown_table(*published.TABLES["companion"](results("published")))


def _truth() -> str:
    return truth.table(results("truth"))


def _posteriors() -> str:
    rows = []
    for name in DATA_SETS:
        _, own = quantify.posteriors_table(results(f"quantify_{name}"))
        rows += [[f"{name}: {row[0]}", *row[1:5]] for row in own]
    return markdown_table(["pair", "R", "U1", "U2", "S"], rows)


def _selection() -> str:
    rows = results("published")["selection"]
    chance = sum(row["mean"] for row in rows) / len(rows)
    theirs = sum(row["published"] for row in rows) / len(rows)
    return (
        f"Three models drawn by lot reach {chance:.2f} % of the best in the "
        f"mean over the {len(rows)} real sets, where the published selection "
        f"reaches {theirs:.2f} %."
    )


NEURIPS2023 = (
    Item(
        "Table of gates",
        "yes",
        "AND, OR, XOR of two fair bits.",
        "OR: R 0.31, S 0.50; XOR: S 1.00 (bits).",
        "python -m docs.checks.paper_examples",
        _clean_gates,
        "None.",
    ),
    Item(
        "Synthetic sets",
        "yes",
        "Ten sets by a generator and five mixtures drawn at random.",
        "In the table's second column, converted from nats.",
        "arm-jax study --config=published --workdir=runs/published",
        _companion,
        "The published generator is not the one that made the published data: "
        "ours tell about twice as much. Synergy of 0.04 to 0.08 bits where the "
        "construction has none is the bias of 800 cells, there and here. See "
        "[the published numbers](../published.md#the-synthetic-sets).",
    ),
    Item(
        "Mixtures of normal laws",
        "yes",
        "Two classes, normal laws around opposite means in the plane; the "
        "modalities are its coordinates, Cartesian or polar.",
        "In words: near the axes information is unique, R and S peak at 45 "
        "degrees; in polar coordinates R is 0.",
        "python -m docs.checks.paper_examples",
        _mixtures,
        "None in words; their numbers are not known. Means at one deviation, "
        "each coordinate in 48 bins.",
    ),
    Item(
        "Estimators: CVX and BATCH",
        "yes",
        "Clusters and a convex program, or a neural estimator.",
        "No error bars, and no truth to compare with on real data.",
        "arm-jax study --config=truth --workdir=runs/truth",
        _truth,
        "BATCH is ours, after the released code. Truths are known here.",
    ),
    Item(
        "Table of real data",
        "in part",
        "R, U1, U2, S of 8 large and 4 special data sets.",
        "In nats, second-hand unless in the released results: AV-MNIST .10 .97 "
        ".03 .08; ENRICO .73 .38 .53 .34 (released); VQA .79 .87 .00 4.92; "
        "CLEVR .55 .48 .00 5.16; MOSEI .26 .49 .03 .04; UR-FUNNY .03 .04 .01 "
        ".08; MUStARD .14 .01 .01 .30; MIMIC .05 .17 .00 .01.",
        "arm-jax quantify --config=watch --workdir=runs/quantify_watch",
        _posteriors,
        "Other data, and bits: theirs are not to be had here. The rows of "
        "MUStARD and MIMIC coincide with those of CVX in the released results, "
        "where BATCH is said to have made them.",
    ),
    Item(
        "Interactions of models' predictions",
        "in part",
        "What ten models have learned of sets that have R, U or S: the "
        "decomposition of their predictions, and the accuracy.",
        "R .41 +- .11 at 73 % accuracy, U .37 +- .14 and S .21 +- .10 at 68 %, "
        "mean and deviation over ten models. A later run has R .47, U .46, "
        "S .29: as far from the first as models are from each other.",
        "arm-jax compare --config=watch --workdir=runs/compare_watch",
        _predictions,
        "Other data, and methods of training in place of models: validation, "
        "last epoch, five seeds. By epoch it is the figure methods_bridge.",
    ),
    Item(
        "Agreement of model and data, and accuracy",
        "none",
        "Correlations over models and sets.",
        "Agreement with accuracy .75 to .78; drop without a modality with U "
        ".80, in another run .59.",
        why="Not made: with ten models that differ by one or two points the "
        "correlation is that of noise, as their two runs show.",
    ),
    Item(
        "Selecting models",
        "yes",
        "The three models that did best on the nearest synthetic set; the best "
        "of the three in % of the best of all.",
        "Above 96 % everywhere, 98.60 % in the mean over the real sets.",
        "arm-jax study --config=published --workdir=runs/published",
        _selection,
        "The same models and accuracies, and the baseline that was missing: "
        "[no better than chance](../published.md#selecting-models).",
    ),
    Item(
        "Human ratings",
        "none",
        "Annotators rate R, U1, U2, S (also ICMI 2023).",
        "Krippendorff's alpha .71 in the mean for direct ratings; within a "
        "data set near 0.",
        why="Nobody was asked.",
    ),
)
