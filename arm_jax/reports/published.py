"""Tables of the published numbers, looked at again, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from arm_jax.reports.pieces import fixed, markdown_table

# Sums of numbers with six digits.
_EQUAL = 1e-5
Table = tuple[list[str], list[list[str]]]


def rows_table(results: Mapping[str, Any]) -> Table:
    """The published rows, what they sum to, and the constants of S_U."""
    header = [
        "data", "pair", "R", "U1", "U2", "S", "S_R", "upper", "T_min + upper",
        "H(Y)", "S_U, c = 1", "S_U, c = 1/4", "S_D",
    ]  # fmt: skip
    rows = []
    for row in results["rows"]:
        label = row["label_entropy"]
        if label is not None and abs(label - row["t_min_and_upper"]) > _EQUAL:
            label = None
        rows.append(
            [
                row["data"],
                row["pair"],
                *(
                    fixed(row[key], 3)
                    for key in (
                        "redundancy",
                        "unique1",
                        "unique2",
                        "synergy",
                        "lower_redundancy",
                        "upper",
                    )  # fmt: skip
                ),
                fixed(row["t_min_and_upper"], 6),
                "" if label is None else fixed(label, 6),
                *(
                    fixed(row[key], 3)
                    for key in (
                        "lower_disagreement",
                        "valid_paper",
                        "valid_disagreement",
                    )  # fmt: skip
                ),
            ]
        )
    return header, rows


def null_table(results: Mapping[str, Any]) -> Table:
    """The observed statistic beside that of an independent label."""
    header = [
        "data", "samples", "observed, by pair", "even clusters",
        "skewed clusters", "above even", "above skewed",
    ]  # fmt: skip
    rows = []
    for one in results["null"]:
        seen = one["rows"]
        rows.append(
            [
                one["data"],
                f"{one['size']:,}",
                ", ".join(fixed(row["excess"], 3) for row in seen),
                *(_mean_and_ends(one[kind]) for kind in ("even", "skewed")),
                *(_share(seen, kind) for kind in ("even", "skewed")),
            ]
        )
    return header, rows


def _share(rows: Sequence[Mapping[str, Any]], kind: str) -> str:
    return f"{sum(row[kind] for row in rows)} of {len(rows)}"


def _mean_and_ends(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    return f"{fixed(one['mean'], 3)} [{fixed(low, 3)}, {fixed(high, 3)}]"


def bounds_table(results: Mapping[str, Any]) -> Table:
    """Our upper bounds on S beside the trivial one."""
    names = ("majorization", "conditional", "chord", "envelope")
    header = [
        "data", "pair", "samples", "T_min", "H(Y) - T_min", *names,
        "branch and bound", "gained", "achieved", "S", "s",
    ]  # fmt: skip
    rows = []
    for one in results["bounds"]:
        best = min(one["upper"], one["trivial"])
        rows.append(
            [
                one["data"],
                one["pair"],
                str(one["samples"]),
                fixed(one["t_min"], 3),
                fixed(one["trivial"], 3),
                *(fixed(one["bounds"][name], 3) for name in names),
                fixed(one["upper"], 3),
                fixed(one["trivial"] - best, 3),
                fixed(one["achieved"], 3),
                fixed(one["synergy"], 3),
                fixed(one["seconds"], 0),
            ]
        )
    return header, rows


def selection_table(results: Mapping[str, Any]) -> Table:
    """The published selection of models beside three at random."""
    header = [
        "data", "models", "published, %", "three at random, %",
        "draws as good, %",
    ]  # fmt: skip
    rows = [
        [
            one["data"],
            str(one["models"]),
            fixed(one["published"], 2),
            fixed(one["mean"], 2),
            fixed(100 * one["as_good"], 0),
        ]
        for one in results["selection"]
    ]
    many = len(rows)
    rows.append(
        [
            "mean", "",
            fixed(sum(x["published"] for x in results["selection"]) / many, 2),
            fixed(sum(x["mean"] for x in results["selection"]) / many, 2),
            fixed(
                100 * sum(x["as_good"] for x in results["selection"]) / many, 0
            ),
        ]
    )  # fmt: skip
    return header, rows


def constant_table(results: Mapping[str, Any]) -> Table:
    """How often S_U is no bound, by its constant."""
    found = results["constant"]
    header = ["c", "tables", "above S, %", "by at most, bits"]
    rows = [
        [
            f"{found[name]['constant']:g}",
            f"{found['tables']:,}",
            fixed(100 * found[name]["violated"], 2),
            fixed(max(found[name]["worst"], 0), 3),
        ]
        for name in ("released", "paper")
    ]
    return header, rows


def companion_table(results: Mapping[str, Any]) -> Table:
    """The companion's synthetic sets: published, by its recipe, and exact."""

    def four(values: Sequence[float | None] | None) -> str:
        if values is None:
            return "cannot be made again"
        # JSON keeps null in the place of what is not known.
        if values[0] is None:
            return "not known"
        return " ".join(fixed(v or 0.0, 3) for v in values)

    header = ["set", "published R U1 U2 S", "by the recipe", "exact", "I"]
    rows = [
        [
            one["data"],
            four(one["published"]),
            four(one.get("recipe")),
            four(one.get("exact")),
            fixed(one["total"], 3) if "total" in one else "",
        ]
        for one in results["companion"]
    ]
    return header, rows


TABLES = {
    "rows": rows_table,
    "null": null_table,
    "constant": constant_table,
    "bounds": bounds_table,
    "selection": selection_table,
    "companion": companion_table,
}


def answer(results: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    rows = results["rows"]
    same = sum(
        row["label_entropy"] is not None
        and abs(row["label_entropy"] - row["t_min_and_upper"]) <= _EQUAL
        for row in rows
    )
    return (
        f"In {same} of {len(rows)} published rows the upper bound of the "
        "synergy is what the other terms leave of the label's entropy, and "
        "says nothing more."
    )


def markdown(results: Mapping[str, Any]) -> str:
    """Returns all tables."""
    parts = [markdown_table(*table(results)) for table in TABLES.values()]
    return "\n\n".join(["# The published numbers, looked at again", *parts])
