"""The report on what was recovered of problems whose answer is known."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.reports.learning import ROLES
from arm_jax.reports.pieces import markdown_table
from arm_jax.reports.truth import several

# Truth is known up to this, in bits.
_TRUTH_ERROR = 1e-3
# Of either modality and of both, from R, U1, U2, S.
_INFORMATIONS = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]])
Table = tuple[list[str], list[list[Any]]]


def markdown(results: Mapping[str, Any]) -> str:
    """The study as Markdown."""
    config = results["config"]
    lines = [
        "# Problems with known answers",
        "",
        f"{config['posteriors'].capitalize()} posteriors, {config['draws']} "
        f"draws per problem and size, {config['replicates']} bootstrap "
        "replicates. Bias, root mean square error (bits) and coverage of the "
        "95 % intervals, each for R, U1, U2, S; s is the median time.",
        "",
        markdown_table(*recovery_table(results)),
        "",
    ]
    if config.get("refits"):
        lines += [
            f"Less what fitting costs, by {config['refits']} refits each:",
            "",
            markdown_table(*recovery_table(results, refits=True)),
            "",
        ]
    if config["posteriors"] == "fitted":
        lines += [
            f"Advice at a margin of {config['margin']:g} bits. Distance: of "
            "the true quantities that decide, the nearest to the margin.",
            "",
            markdown_table(*decision_table(results)),
            "",
            "Learned: bits that classifiers of the first modality, of the "
            "second and of both keep more than if they are fitted to half of "
            "the samples. Missing: of I(X1;Y), I(X2;Y) and I(X1,X2;Y).",
            "",
            markdown_table(*learned_table(results)),
            "",
        ]
    return "\n".join(lines)


def answer(results: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    held, given = [], []
    for (name, _), draws in _groups(results).items():
        held += list(_holds(results["truth"][name], draws).ravel())
        right, decided = outcomes(results["truth"][name], draws)
        given += list(right[decided])
    said = (
        f"Of problems whose answer is known, {100 * np.mean(held):.0f} % of "
        "the 95 % intervals hold the truth"
    )
    if given and results["config"]["posteriors"] == "fitted":
        said += (
            f", and of {len(given):,} pieces of advice "
            f"{100 * np.mean(given):.0f} % are right"
        )
    return said + "."


def _holds(
    truth: Mapping[str, Any], draws: Sequence[Mapping[str, Any]]
) -> np.ndarray:
    """Whether intervals hold the truth, of the draws that have any."""
    value = np.array(truth["value"])
    ends = [d["interval"] for d in draws if "interval" in d]
    if not ends:
        return np.zeros((0, len(value)), bool)
    low, high = np.moveaxis(np.array(ends), -1, 0)
    slack = truth["error"] * 2 + _TRUTH_ERROR
    return (low <= value + slack) & (high >= value - slack)


def recovery_table(
    results: Mapping[str, Any], *, refits: bool = False
) -> Table:
    """Bias, error and coverage, a row per problem and size.

    Args:
      results: of the study.
      refits: whether of the numbers less what fitting costs.
    """
    rows = []
    for (name, size), draws in _groups(results).items():
        truth = np.array(results["truth"][name]["value"])
        answers = [d for d in draws if "value" in d]
        if not answers:
            rows.append([name, size, several(truth, 2), *["-"] * 5])
            continue
        numbers = [d["refits"] if refits else d for d in answers]
        error = np.array([d["value"] for d in numbers]) - truth
        holds = _holds(results["truth"][name], numbers)
        rows.append(
            [
                name, size, several(truth, 2), several(error.mean(0)),
                several(np.sqrt((error**2).mean(0))), several(holds.mean(0), 2),
                f"{np.mean([bool(d['doubts']) for d in answers]):.2f}",
                f"{np.median([d['seconds'] for d in answers]):.1f}",
            ]
        )  # fmt: skip
    header = [
        "problem", "n", "truth", "bias", "rms error", "coverage", "doubts", "s",
    ]  # fmt: skip
    return header, rows


def decision_table(results: Mapping[str, Any]) -> Table:
    """How often the advice was given, and right, a row per problem and size."""
    rows = []
    for (name, size), draws in _groups(results).items():
        truth = results["truth"][name]
        right, decided = outcomes(truth, draws)
        family, modality = truth["family"], truth["modality"]
        rows.append(
            [
                name, size, f"{family} {modality}".strip(),
                f"{truth['distance']:.2f}", f"{np.mean(decided):.2f}",
                f"{np.mean(right[decided]):.2f}" if decided.any() else "-",
            ]
        )  # fmt: skip
    return ["problem", "n", "truth", "distance", "decided", "right"], rows


def learned_table(results: Mapping[str, Any]) -> Table:
    """What half of the samples taught, and what is missing, per problem."""
    rows = []
    for (name, size), draws in _groups(results).items():
        answers = [d for d in draws if "learned" in d]
        if not answers:
            continue
        ends = [[d["learned"][role] for role in ROLES] for d in answers]
        value = np.mean([d["value"] for d in answers], axis=0)
        missing = _INFORMATIONS @ (results["truth"][name]["value"] - value)
        learned = np.mean(ends, axis=(0, 2))
        rows.append([name, size, several(learned), several(missing)])
    return ["problem", "n", "learned", "missing"], rows


def outcomes(
    truth: Mapping[str, Any], draws: Sequence[Mapping[str, Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each draw's advice was right, and whether there was one."""
    given = [(d.get("family", ""), d.get("modality", "")) for d in draws]
    known = truth["family"], truth["modality"]
    right = np.array([one == known for one in given])
    return right, np.array([bool(family) for family, _ in given])


def _groups(results: Mapping[str, Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for d in results["draws"]:
        groups[d["problem"], d["size"]].append(d)
    return groups
