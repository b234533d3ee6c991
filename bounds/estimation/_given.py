"""Every pair of modalities given a third, from their symbols."""

import itertools
from collections.abc import Mapping
from typing import Any

from bounds.errors import InputError
from bounds.estimation import samples
from bounds.estimation._sides import View
from bounds.estimation.conditional import quantify_given
from bounds.estimation.evidence import enough
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import Rows


def given_third(
    views: Mapping[tuple[str, ...], View], rows: Rows, options: StudyOptions
) -> dict[str, Any]:
    """The interactions of every pair given each other modality.

    Args:
      views: by side; those of single modalities are used.
      rows: the samples.
      options: of the study.

    Returns:
      By "first & second | given": the names, the numbers of symbols of the
      three, `estimates`, `size` and `effective`; of those that have no numbers
      the reason, as `failed`.
    """
    names = list(rows.inputs)
    found: dict[str, Any] = {}
    for first, second in itertools.combinations(names, 2):
        for given in names:
            if given in (first, second):
                continue
            sides = [views[(name,)] for name in (first, second, given)]
            one: dict[str, Any] = {
                "first": first,
                "second": second,
                "given": given,
            }
            try:
                table = _table(sides, rows, options)
                answer = quantify_given(
                    table,
                    replicates=min(options.resampling.replicates, 200),
                    permutations=min(options.resampling.permutations, 100),
                    seed=options.resampling.seed,
                )._asdict()
                answer["estimates"] = {
                    name: estimate._asdict()
                    for name, estimate in answer["estimates"].items()
                }
                one |= answer | {"symbols": list(table.counts.shape[:3])}
            except InputError as error:
                one["failed"] = str(error)
            found[f"{first} & {second} | {given}"] = one
    return found


def _table(
    sides: list[View], rows: Rows, options: StudyOptions
) -> samples.Samples:
    """Counts with the most symbols for which there are samples enough."""
    fixed = options.symbols.number
    for number in (fixed,) if fixed else range(options.symbols.most, 1, -1):
        symbols = [side.symbols(number) for side in sides]
        table = samples.count(
            [*symbols, rows.counted_label],
            (*(int(s.max()) + 1 for s in symbols), len(rows.classes)),
            names=[*(side.name for side in sides), "label"],
            units=rows.counted_units,
            weights=rows.counted_weights,
        )
        if enough(table).enough:
            break
    return table
