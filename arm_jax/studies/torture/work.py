"""What is killed: work of each kind, and digests of what it leaves.

Two children that did the same work left the same ones.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from arm_jax import checkpoint, processes
from arm_jax.data import load
from arm_jax.data.preparation import engine
from arm_jax.data.preparation.items import Index, Item
from arm_jax.data.preparation.opened import opened
from arm_jax.reports import comparison_figures
from arm_jax.reports import synergy as synergy_report
from arm_jax.reports import training as training_report
from arm_jax.studies.comparison import compare
from arm_jax.studies.quantify import quantify
from arm_jax.studies.synergy import synergy
from arm_jax.studies.training import fit

# Keys of results that depend on the clock, and the digest of all keys.
_OF_TIME = ("seconds", "training_seconds", "digest")
# Files that say when, with what and where, not what.
_UNLIKE = ("record.jsonl", "timings.jsonl", "config.json")
COMPILED = "compiled"
_ITEMS = 240


def keep_compiled(folder: Path, seconds: float) -> None:
    """Keeps what takes so many seconds to compile, for children to come."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def data(file: Path) -> None:
    """Writes the data that all of them work on."""
    rng = np.random.default_rng(7)
    label = np.tile(np.arange(3), 80)
    seen = np.eye(3)[label]
    np.savez(
        file,
        loud=seen @ rng.normal(size=(3, 5)) + rng.normal(size=(240, 5)),
        quiet=seen @ rng.normal(size=(3, 4)) + 2 * rng.normal(size=(240, 4)),
        label=label,
        split=np.repeat([0, 1, 2], [140, 50, 50]),
    )


def training(file: Path, epochs: int, method: str = "arm") -> dict[str, Any]:
    """A training with dropout, copies and several seeds; a step is short."""
    options = {"warmup": 1} if method == "arm" else {}
    return {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(file)},
        },
        "model": {"hidden": (8,), "features": 6, "dropout": 0.2},
        "method": {"name": method, "options": options},
        "optimizer": {"learning_rate": 1e-2},
        "train": {
            "epochs": epochs,
            "log_every": 3,
            "seeds": 2,
            "checkpoint_seconds": 0,
        },
    }


def train(config: Mapping[str, Any], workdir: Path) -> dict[str, str] | None:
    """Trains."""
    training_report.write = lambda *_: None
    done = fit(config, workdir, progress=False, describe=False)
    if done is None or not processes.leads():
        return None if done is None else {}
    return left(workdir)


def comparison(file: Path, workdir: Path) -> dict[str, str] | None:
    """Compares two methods."""
    _without_figures()
    base = training(file, 3)
    labels = ("joint", "ogm_ge")
    config = {
        "training": {k: x for k, x in base.items() if k != "method"},
        "runs": {name: training(file, 3, name)["method"] for name in labels},
        "groups": (("Methods", labels),),
    }
    done = compare(config, workdir, progress=False)
    return None if done is None else left(workdir)


def quantified(file: Path, workdir: Path) -> dict[str, str]:
    """Quantifies."""
    config = {
        "data": {"name": "npz", "options": {"path": str(file)}},
        "folds": 3,
        "symbols": {"number": 2, "most": 2, "sensitivity": (2,)},
        "resampling": {
            "replicates": 20,
            "permutations": 10,
            "interval_replicates": 5,
        },
    }
    quantify(config, workdir, progress=False)
    return left(workdir)


def study(workdir: Path) -> dict[str, str]:
    """Compares bounds of the synergy, in ten blocks."""
    synergy_report.write = lambda *_: ""
    config = {"tables": 1000, "block": 100, "effort": "bounds"}
    synergy(config, workdir, progress=False)
    return left(workdir)


def decode(source: tuple[int, int]) -> dict[str, Any]:
    """One record of a preparation: numbers by seed, which take some time."""
    seed, size = source
    time.sleep(0.002)
    return {"x": np.random.default_rng(seed).normal(size=size)}


def preparation(pool: int, workdir: Path) -> dict[str, str]:
    """Prepares records, in shards of 16; decoded here, or in a pool."""
    names = ("a", "b", "c")
    items = tuple(
        Item(f"{n:04d}", "train", n % 3, (n, 50 + n % 7), f"{n} bytes")
        for n in range(_ITEMS)
    )
    plan = engine.Plan(
        "prepared", Index(items, names), decode, {"size": 50}, workdir,
        shard_size=16,
    )  # fmt: skip
    engine.prepare(
        plan,
        processes=1,
        progress=False,
        pool=(lambda: _threads(pool)) if pool > 1 else None,
    )
    return prepared(workdir)


def loaded(file: Path) -> dict[str, str]:
    """Loads the data."""
    dataset = load("npz", {"path": str(file)})
    sha = hashlib.sha256()
    for part in dataset.splits.values():
        arrays = [part.arrays(name) for name in dataset.modalities]
        for x in (part.label, part.id, *arrays):
            sha.update(np.asarray(x).tobytes())
    return {"digest": sha.hexdigest()}


def _threads(count: int) -> Any:
    return ThreadPoolExecutor(count)


def prepared(workdir: Path) -> dict[str, str]:
    """Digests of what is prepared: each record, and what is said of it."""
    there = opened("prepared", workdir, {"size": 50})
    records = there.records()
    found = {"digest": there.digest, "rows": _digest(repr(there.rows).encode())}
    for number in range(len(records)):
        record = records[number]
        content = repr(sorted(record)).encode() + record["x"].tobytes()
        found[f"record {number}"] = _digest(content)
    return found


def _without_figures() -> None:
    training_report.write = lambda *_: None
    for name in ("draw", "draw_variants"):
        setattr(comparison_figures, name, lambda *_, **__: [])


def left(workdir: Path) -> dict[str, str]:
    """Digests of what work left in its folder, but for times."""
    found = {}
    for file in sorted(workdir.rglob("*")):
        name = file.relative_to(workdir).as_posix()
        if "checkpoints" in name:
            continue
        told = file.suffix in (".jsonl", ".md", ".json")
        if told and file.name not in _UNLIKE:
            found[name] = _digest(_without_times(file))
    for folder in sorted(workdir.rglob("checkpoints")):
        for name, x in _state(folder).items():
            found[f"{folder.relative_to(workdir)}{name}"] = _digest(x.tobytes())
    odd = [
        file.name
        for file in workdir.rglob("*")
        if "tmp" in file.name or file.name.endswith("_damaged")
    ]
    return found | {f"left {name}": "" for name in odd}


def _without_times(file: Path) -> bytes:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text.encode()
    lines = text.splitlines() if file.suffix == ".jsonl" else [text]
    kept = [json.dumps(_timeless(json.loads(x))) for x in lines]
    return "\n".join(kept).encode()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in _OF_TIME}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def _state(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of the last checkpoint, by path, and its number."""
    steps = [int(f.name) for f in folder.iterdir() if f.name.isdigit()]
    # One of several reads alone.
    with checkpoint._as_one_process():
        tree = ocp.load_checkpointables(folder / str(max(steps)))["run"]
    is_key = lambda x: jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return {f" step {max(steps)}": np.zeros(())} | {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(x) if is_key(x) else x
        )
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
