"""Files with a number each, in place of media; their decoder keeps count."""

import os
from pathlib import Path

import numpy as np

from arm_jax.data import preparation
from arm_jax.data.preparation import Index, Item, Plan, files

COUNT, SHARD = 20, 6


def write(folder: Path) -> Path:
    folder.mkdir()
    for n in range(COUNT):
        (folder / f"{n:02d}.txt").write_text(str(n))
    return folder


def index(folder: Path) -> Index:
    items = [
        Item(
            file.name,
            "test" if int(file.stem) % 5 == 4 else "train",
            int(file.stem) % 2,
            str(file),
            f"{file.stat().st_size} bytes",
        )
        for file in sorted(folder.glob("*.txt"))
    ]
    return Index(items, ("even", "odd"))


def decode(source: str) -> dict:
    """Reads a number; a file `die` or `interrupt` beside it acts at 13."""
    path = Path(source)
    with (path.parent / "decoded").open("a") as log:
        log.write(f"{path.stem}\n")
    if path.stem == "13":
        if (path.parent / "die").exists():
            os._exit(9)
        if (path.parent / "interrupt").exists():
            raise KeyboardInterrupt
    text = files.content(path)
    if text == b"bad":
        raise preparation.Unusable("unreadable", "says bad")
    n = int(text)
    return {"x": np.arange(n), "bytes": bytes([n]), "text": f"n {n}"}


def decoded(folder: Path) -> list[int]:
    """Returns what was decoded since the last call, and forgets it."""
    log = folder / "decoded"
    numbers = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(map(int, numbers))


def plan(folder: Path, out: Path, **changes) -> Plan:
    defaults = {
        "name": "numbers",
        "index": index(folder),
        "decode": decode,
        "options": {"side": 3},
        "folder": out,
        "shard_size": SHARD,
    }
    return Plan(**(defaults | changes))
