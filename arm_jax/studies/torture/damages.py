"""Files of a workdir with a byte flipped or a tail cut."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.errors import InputError
from arm_jax.studies.torture.kills import differences
from arm_jax.studies.training import fit
from arm_jax.workdir import read_json

# Files that say nothing of the run: seconds, and reports that are made anew.
_HARMLESS = ("timings.jsonl", "report.md", "lock")


def files(
    config: Mapping[str, Any],
    folder: Path,
    count: int,
    rng: np.random.Generator,
) -> list[str]:
    """Damages a file of an interrupted training, and lets it go on.

    Right is a sentence that names the file or its folder; or a run that ends
    as if nothing had been.

    Args:
      config: Mapping for `arm_jax.config.Config`.
      folder: Where to.
      count: Number of damages, in turns over the files.
      rng: Draws bytes.

    Returns:
      What went wrong, a line each.
    """
    whole, half = folder / "whole", folder / "half"
    quiet: dict[str, Any] = {"progress": False, "describe": False}
    fit(config, whole, **quiet)
    steps = read_json(whole / "results.json")["steps"]
    fit(config, half, stop_after=steps // 2, **quiet)
    names = sorted(
        file.relative_to(half)
        for file in half.rglob("*")
        if file.is_file() and file.name not in _HARMLESS and file.stat().st_size
    )
    wrong = []
    for number in range(count):
        name = names[number % len(names)]
        copy = folder / f"copy{number}"
        shutil.copytree(half, copy)
        how = _damage(copy / name, rng)
        try:
            fit(config, copy, **quiet)
        except InputError as error:
            # Anything more general does not help.
            if name.name not in str(error) and str(copy) not in str(error):
                wrong.append(f"{name}, {how}: the sentence is '{error}'")
        # Whatever it is, it is what is looked for.
        except Exception as error:  # noqa: BLE001
            wrong.append(f"{name}, {how}: {type(error).__name__}: {error}")
        else:
            wrong += [f"{name}, {how}: {x}" for x in differences(whole, copy)]
        shutil.rmtree(copy)
    return wrong


def _damage(file: Path, rng: np.random.Generator) -> str:
    content = bytearray(file.read_bytes())
    at = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        file.write_bytes(content[:at])
        return f"cut at byte {at}"
    content[at] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    return f"a bit of byte {at} flipped"
