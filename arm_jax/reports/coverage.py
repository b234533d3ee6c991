"""The report on a study of coverage."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.reports.pieces import markdown_table

QUANTITIES = ("redundancy", "unique1", "unique2", "synergy")
ESTIMATORS = ("plug_in", "miller_madow", "jackknife")


def report(
    records: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> str:
    """The study as Markdown."""
    told = sum(sum(r["enough"]) for r in records)
    return "\n".join(
        [
            "# Coverage of error bars",
            "",
            f"{len({r['table'] for r in records})} tables "
            f"({config['tables']}), {config['repetitions']} repetitions each, "
            f"{config['replicates']} "
            "bootstrap replicates, nominal 95 % intervals around the "
            "jackknife's values. Mean and smallest coverage in %, over tables "
            "for which there are at least 5 samples per possible cell, and how "
            "often it is below 90 %.",
            "",
            coverage_table(records, "jackknife"),
            "",
            "The same around the other estimators' values:",
            "",
            "Miller-Madow",
            "",
            coverage_table(records, "miller_madow"),
            "",
            "Plug-in",
            "",
            coverage_table(records, "plug_in"),
            "",
            f"Below 90 % around the jackknife's values, out of {told} "
            "combinations of table, n and quantity:",
            "",
            misses_table(records),
            "",
            "Mean bias of S in bits, all tables of a shape:",
            "",
            bias_table(records),
            "",
        ]
    )


def coverage_table(records: Sequence[Mapping[str, Any]], name: str) -> str:
    """Coverage by shape and sample size, where there are samples enough."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for r in records:
        groups[_shape_class(r["shape"]), r["size"]].append(r)
    rows = []
    for (shape, size), found in sorted(groups.items()):
        cells = []
        for k in range(len(QUANTITIES)):
            values = [
                100 * r["cover"][name][k] for r in found if r["enough"][k]
            ]
            if not values:
                cells.append("too few samples")
                continue
            low = sum(v < 90 for v in values)
            cells.append(
                f"{np.mean(values):.1f} / {min(values):.1f} "
                f"({low} of {len(values)})"
            )
        rows.append([shape, f"{size:,}", *cells])
    return markdown_table(["cells", "n", "R", "U1", "U2", "S"], rows)


def misses_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Every table and quantity whose intervals cover less than 90 %."""
    rows = []
    for r in records:
        for k, quantity in enumerate(QUANTITIES):
            cover = r["cover"]["jackknife"][k]
            if r["enough"][k] and cover < 0.9:
                rows.append(
                    [
                        r["table"],
                        f"{r['size']:,}",
                        quantity,
                        f"{100 * cover:.1f}",
                        f"{r['truth'][k]:z.4f}",
                        f"{r['bias']['jackknife'][k]:z.4f}",
                        f"{r['deviation'][k]:.4f}",
                    ]
                )
    header = ["table", "n", "quantity", "coverage", "truth", "bias", "sd"]
    return markdown_table(header, rows) if rows else "None."


def bias_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Bias of S by shape and sample size, and its share of plug-in's."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for r in records:
        groups[tuple(r["shape"]), r["size"]].append(r)
    at = QUANTITIES.index("synergy")
    rows = []
    for (shape, size), found in sorted(groups.items()):
        mean = {
            name: np.mean([r["bias"][name][at] for r in found])
            for name in ESTIMATORS
        }
        rows.append(
            [
                "x".join(map(str, shape)),
                f"{size:,}",
                *(f"{mean[name]:z.4f}" for name in ESTIMATORS),
                f"{mean['jackknife'] / mean['plug_in']:z.2f}"
                if mean["plug_in"]
                else "no bias",
            ]
        )
    header = ["shape", "n", *ESTIMATORS, "jackknife / plug_in"]
    return markdown_table(header, rows)


def _shape_class(shape: Sequence[int]) -> int:
    return int(np.prod(shape))
