"""What is known of two modalities and a label, and whether it is enough.

Three levels: labelled pairs; labels of single modalities and unlabelled pairs;
classifiers' outputs on unlabelled pairs. Whether there are samples enough for
a quantity is known from the counts, before anything is drawn or solved.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from bounds.errors import InputError
from bounds.estimation import samples
from bounds.estimation.samples import Samples

# Independent samples per possible cell that an estimate needs. Below, error
# bars do not cover: measured by experiments/coverage.py.
SAMPLES_PER_CELL = 5
DECOMPOSITION = ("redundancy", "unique1", "unique2")


class Labelled(NamedTuple):
    """Labelled pairs.

    Attributes:
      table: counts of (x1, x2, y).
    """

    table: Samples


class Unimodal(NamedTuple):
    """Labelled samples of each modality, and unlabelled pairs.

    Attributes:
      first: counts of (x1, y).
      second: counts of (x2, y), of the same samples or others.
      pairs: counts of (x1, x2).
    """

    first: Samples
    second: Samples
    pairs: Samples


class Predictions(NamedTuple):
    """Outputs of one classifier per modality on unlabelled pairs.

    What follows from them is true if they are the true posteriors: calibrate.

    Attributes:
      first: p(y|x1), `[n, y]`.
      second: p(y|x2), `[n, y]`.
      bins: Clusters of each, for the decomposition; what they lose is added
        to the unique informations, so that the bounds stay valid.
      units: Vector `[n]`, equal for samples that are not independent, as in
        `samples.count`; None if all are.
      weights: Of the pairs, `[n]`, as in `samples.count`.
    """

    first: Any
    second: Any
    bins: int = 10
    units: Any = None
    weights: Any = None


class Verdict(NamedTuple):
    """Whether there are samples enough for a quantity.

    Attributes:
      enough: Whether there are.
      needed: How many would be.
    """

    enough: bool
    needed: int


def enough(*tables: Samples) -> Verdict:
    """Whether tables hold enough samples, and how many the hungriest needs."""
    found = [Verdict(True, 0)]
    for i, table in enumerate(tables):
        samples.checked(f"tables[{i}]", table)
        needed = math.ceil(
            SAMPLES_PER_CELL
            * possible_cells(table)
            * samples.design_effect(table)
        )
        found.append(Verdict(table.size >= needed, needed))
    return _together(*found)


def _together(*found: Verdict) -> Verdict:
    return Verdict(all(v.enough for v in found), max(v.needed for v in found))


def verdicts(evidence: Labelled | Unimodal) -> dict[str, Verdict]:
    """Says for which quantities there are samples enough, without an estimate.

    Args:
      evidence: Counts of what is known.

    Returns:
      Verdicts by name: of the `estimates` of `Interactions`; of "accuracy1"
      and "accuracy2", and for labelled pairs "accuracy"; and of "bounds", those
      of the synergy.

    Raises:
      InputError: No counts.
    """
    if isinstance(evidence, Labelled):
        table = samples.checked("table", evidence.table, 3)
        return verdicts_of_labelled(table, *pairwise_counts(table))
    if isinstance(evidence, Unimodal):
        return verdicts_of_unimodal(checked_unimodal(evidence))
    raise InputError(
        f"evidence must be Labelled or Unimodal, got {type(evidence).__name__}"
    )


def verdicts_of_labelled(
    table: Samples, first: Samples, second: Samples, pairs: Samples
) -> dict[str, Verdict]:
    """`verdicts` of a table and its pairwise marginals."""
    one, two, joint = enough(first), enough(second), enough(table)
    both = _together(one, two)
    return {
        "information1": one,
        "information2": two,
        **dict.fromkeys(DECOMPOSITION, both),
        "synergy": joint,
        "total": joint,
        "accuracy": joint,
        "accuracy1": one,
        "accuracy2": two,
        "bounds": _together(both, enough(pairs)),
    }


def verdicts_of_unimodal(evidence: Unimodal) -> dict[str, Verdict]:
    """`verdicts` of labels of single modalities and unlabelled pairs."""
    # Each table is made to agree with the others, so it needs all of them.
    both = enough(evidence.first, evidence.second)
    names = ("information1", "information2", *DECOMPOSITION)
    return {
        **dict.fromkeys((*names, "accuracy1", "accuracy2"), both),
        "bounds": _together(both, enough(evidence.pairs)),
    }


def checked_unimodal(evidence: Unimodal) -> Unimodal:
    """Returns the evidence, its counts checked and converted."""
    return Unimodal(
        *(
            samples.checked(name, s, 2)
            for name, s in zip(evidence._fields, evidence, strict=True)
        )
    )


def possible_cells(table: Samples) -> int:
    """Number of cells whose symbols all occur."""
    counts = table.counts
    axes = range(counts.ndim)
    return math.prod(
        int((counts.sum(tuple(b for b in axes if b != a)) > 0).sum())
        for a in axes
    )


def pairwise_counts(table: Samples) -> tuple[Samples, Samples, Samples]:
    """Counts of (x1, y), (x2, y) and (x1, x2)."""
    first, second, pairs = (samples.marginal(table, (i,)) for i in (1, 0, 2))
    return first, second, pairs


def check_alphabets(first: Samples, second: Samples, pairs: Samples) -> None:
    """Raises InputError for tables that do not agree, or have nothing to tell.

    Args:
      first: Counts of (x1, y).
      second: Counts of (x2, y).
      pairs: Counts of (x1, x2).
    """
    n1, n2 = pairs.counts.shape
    shapes = first.counts.shape, second.counts.shape
    if shapes[0][0] != n1 or shapes[1][0] != n2 or shapes[0][1] != shapes[1][1]:
        raise InputError(
            "alphabets differ: (x1, y), (x2, y), (x1, x2) have shapes "
            f"{shapes[0]}, {shapes[1]}, {(n1, n2)}"
        )
    names = "first", "second"
    labels = [s.counts.sum(0) for s in (first, second)]
    seen = [samples.occurrences(s, 1) for s in (first, second)]
    for own, other, many, name, other_name in (
        (*labels, seen[0], *names),
        (*labels[::-1], seen[1], *names[::-1]),
    ):
        absent = np.flatnonzero((own == 0) & (other > 0))
        if len(absent):
            raise InputError(
                f"label {absent[0]} occurs {other[absent[0]]:g} times in the "
                f"{other_name} labelled set but never in the {name}"
            )
        lonely = np.flatnonzero(many == 1)
        if len(lonely):
            raise InputError(
                f"label {lonely[0]} has one sample in the {name} labelled set: "
                "drop it or join it with another class"
            )
    if (labels[0] > 0).sum() < 2:
        raise InputError("all samples have one label: there is nothing to tell")
    for s, name in ((first, names[0]), (second, names[1])):
        if (s.counts.sum(1) > 0).sum() < 2:
            raise InputError(f"the {name} modality is constant: one symbol")
