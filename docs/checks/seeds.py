"""A comparison by several seeds, one after another, as one summary.

Seeds side by side would turn convolutions into grouped ones, which are slow.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from arm_jax.reports import comparison
from arm_jax.studies.comparison import compare
from arm_jax.workdir import read_json, write_json
from experiments import cli


def compared(
    config: ConfigDict, out: Path, name: str, methods: Sequence[str], seeds: int
) -> str:
    """Compares methods, and returns their tables.

    Stopped, it goes on where it was. `python -m docs.tables --collect=OUT`
    takes the summary of all seeds over.

    Args:
      config: A comparison.
      out: Folder that gets a workdir for each seed, and NAME/summary.json.
      name: Name of the results.
      methods: Labels of the runs.
      seeds: How many there are, from 0 on.

    Raises:
      KeyboardInterrupt: A run was interrupted.
    """
    config.groups = (("Methods", tuple(methods)),)
    found = []
    for seed in range(seeds):
        config.training.train.seed = seed
        workdir = out / "seeds" / str(seed)
        if compare(cli.to_dict(config), workdir, only=methods) is None:
            raise KeyboardInterrupt
        found.append(read_json(workdir / "summary.json"))
        # Of those that are there, whatever becomes of the next.
        summary = merged(found)
        (out / name).mkdir(parents=True, exist_ok=True)
        write_json(out / name / "summary.json", summary)
    return "\n\n".join(
        [
            comparison.basis(summary),
            *comparison.tables(summary, summary["groups"][0][1]),
        ]
    )


def merged(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the runs of several summaries in one."""
    first, *others = copy.deepcopy(list(summaries))
    whole = {**first, "variants": [x for s in summaries for x in s["variants"]]}
    for other in others:
        for label, accuracies in other["accuracies"].items():
            for key, values in accuracies.items():
                whole["accuracies"][label][key] += values
            more = other["results"][label]["runs"]
            whole["results"][label]["runs"] += more
    return whole
