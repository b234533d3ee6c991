"""Files with a byte flipped or a tail cut, each kind that a folder holds.

Right is a sentence that names the file or its folder; or an end as if nothing
had been.
"""

import os
import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arm_jax.studies.torture import kills, work
from arm_jax.studies.torture.trials import Outcome, Part
from arm_jax.studies.torture.victim import Blow, Child

# Files that say nothing of the work: seconds, and reports that are made anew.
_HARMLESS = (
    "timings.jsonl", "report.md", "report.html", "table.md", "summary.json",
    "skipped.csv", "lock",
)  # fmt: skip


class Scene(NamedTuple):
    """What is damaged.

    Attributes:
      kind: Name of the work, of `kills.KINDS`.
      name: Of the folder.
      blow: What ends the work before its end, if anything does.
    """

    kind: str
    name: str
    blow: Blow | None = None


SCENES = (
    Scene("training", "half", Blow(signal.SIGTERM, 6, 0)),
    Scene("preparation", "whole"),
    Scene("comparison", "half", Blow(signal.SIGTERM, 5, 0)),
    Scene("study", "whole"),
    Scene("training", "whole"),
    Scene("quantify", "whole"),
    Scene("comparison", "whole"),
    Scene("data", "file"),
)


def prepare(folder: Path) -> None:
    """Makes the folders that copies are damaged of."""
    for scene in SCENES:
        if scene.kind == "data" or _scene(folder, scene).exists():
            continue
        name = _scene(folder, scene).name
        (child,) = kills.start(
            kills.KINDS[scene.kind], folder, f"{name}_made", blow=scene.blow
        )
        child.wait()
        (folder / f"{name}_made").rename(folder / name)


def _scene(folder: Path, scene: Scene) -> Path:
    return folder / f"scene_{scene.kind}_{scene.name}"


def damaged(folder: Path, number: int, rng: np.random.Generator) -> Outcome:
    """Damages a file of a copy, and lets the work go on there."""
    scene = SCENES[number % len(SCENES)]
    if scene.kind == "data":
        return _data(folder, number, rng)
    kind = kills.KINDS[scene.kind]
    there = _scene(folder, scene)
    names = sorted(
        file.relative_to(there)
        for file in there.rglob("*")
        if file.is_file()
        and file.name not in _HARMLESS
        and file.stat().st_size
        # Who has finished does not look at them; who goes on does.
        and not (scene.blow is None and "checkpoints" in file.parts)
    )
    name = names[(number // len(SCENES)) % len(names)]
    copy = folder / f"{number}_copy"
    shutil.copytree(there, copy)
    how = f"{scene.kind}, {scene.name}, {name}, {damage(copy / name, rng)}"
    does = work.prepared if scene.kind == "preparation" else kind.does
    arguments = (
        ()
        if scene.kind == "preparation"
        else kind.arguments(kills.references(folder) / "data.npz")
    )
    child = Child(does, (*arguments, copy), folder / f"{number}_copy.err")
    expected = kills.told(scene.kind, folder)["found"]
    patience = kills.patience(scene.kind, folder)
    return _judged(child, how, name.name, copy, expected, patience)


def _data(folder: Path, number: int, rng: np.random.Generator) -> Outcome:
    """Damages the data of a training that has not begun."""
    file = folder / f"{number}_copy.npz"
    original = kills.references(folder) / "data.npz"
    shutil.copy(original, file)
    how = f"data, {damage(file, rng)}"
    child = Child(work.loaded, (file,), folder / f"{number}_copy.err")
    # Bytes between the arrays say nothing.
    expected = work.loaded(original)
    return _judged(child, how, file.name, file, expected)


def _judged(
    child: Child,
    how: str,
    name: str,
    place: Path,
    expected: dict[str, str],
    patience: float = kills.NOTICE,
) -> Outcome:
    status = child.wait(patience)
    if status is None:
        child.send(signal.SIGKILL)
        child.wait()
        return Outcome(1, [f"{how}: it hangs"])
    if status in (1, 2) and child.sentence():
        # Anything more general does not help.
        named = name in child.sentence() or str(place) in child.sentence()
        wrong = [] if named else [f"{how}: {child.sentence()}"]
        return Outcome(1, wrong, {"noticed": 1})
    if status:
        return Outcome(1, [f"{how}: status {status}: {child.said()[-800:]}"])
    found = {k: v for k, v in child.found().items() if "damaged" not in k}
    if found != expected:
        text = kills.differing(expected, found)
        return Outcome(1, [f"{how}: used, other {text}"])
    return Outcome(1, [], {"as if nothing had been": 1})


def damage(file: Path, rng: np.random.Generator) -> str:
    """Flips a bit or cuts the tail, and says so; the file's time stays."""
    content = bytearray(file.read_bytes())
    time = file.stat().st_mtime_ns
    at = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        file.write_bytes(content[:at])
        how = f"cut at byte {at}"
    else:
        content[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        how = f"a bit of byte {at} flipped"
    os.utime(file, ns=(time, time))
    return how


PARTS = {
    "damages": Part(
        "damaged file",
        damaged,
        prepare=prepare,
        kinds=("training", "preparation", "comparison", "study", "quantify"),
    ),
}
