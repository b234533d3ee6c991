"""The measures of `docs.checks.gpu`: each yields lines of its results."""

import argparse
import io
import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from arm_jax.data.clips.classes import KINETICS_SOUNDS
from arm_jax.data.clips.stored import Stored
from arm_jax.data.preparation import Index, Item, Plan, fbank, images, prepare

NAME = "kinetics_sounds"
CLASSES = KINETICS_SOUNDS["arm31"]
Row = dict[str, Any]


def clips(flags: argparse.Namespace) -> Iterator[Row]:
    """Prepares made-up clips: how many a second, and their bytes."""
    count = 96 if flags.tiny else 1024
    items = [
        Item(
            f"{number:06d}",
            "test" if number % 10 == 9 else "train",
            number // 2 % len(CLASSES),
            number,
            group=f"{number:06d}",
        )
        for number in range(count)
    ]
    stored = Stored(NAME, ("audio", "video"))
    options: Row = {"modalities": list(stored.modalities), "classes": ["arm31"]}
    options |= {**stored.options(), "lists": "official"}
    folder = flags.data_dir / NAME
    plan = Plan(
        NAME, Index(items, CLASSES), made_up, options, folder, shard_size=32
    )
    start = time.perf_counter()
    prepare(plan, progress=False)
    took = time.perf_counter() - start
    size = sum(file.stat().st_size for file in folder.iterdir())
    yield {"clips": count, "a second": count / took, "bytes": size / count}


def made_up(number: int) -> Row:
    """Returns the record of a clip that nobody took."""
    rng = np.random.default_rng(number)
    noise = rng.integers(0, 12, (256, 340, 3), np.uint8)
    frames = []
    for coarse in rng.integers(0, 244, (10, 32, 42, 3), np.uint8):
        picture = images.library().fromarray(coarse).resize((340, 256))
        out = io.BytesIO()
        noisy = np.minimum(np.asarray(picture), 243) + noise
        picture = images.library().fromarray(noisy)
        picture.save(out, "JPEG", quality=images.QUALITY)
        frames.append(out.getvalue())
    second = fbank.fbank(rng.normal(0, 0.1, fbank.SAMPLE_RATE))
    rows = np.tile(second, (11, 1))[: fbank.ROWS].astype(np.float16)
    return {"frames": frames, "audio": rows}


def _run(
    flags: argparse.Namespace, method: str, dtype: str, **block: int
) -> Any:
    """Returns a run of the config, on the made-up clips."""
    from arm_jax import loop
    from arm_jax.config import Config, from_mapping
    from configs import kinetics_sounds

    config = kinetics_sounds.get_config(method)
    config.data.options.data_dir = str(flags.data_dir)
    config.data.update(block)
    config.model.dtype = dtype
    if flags.tiny:
        config.data.batch_size = 8
        config.data.options.update(size=64, rows=128, validation=0.4)
        # A ResNet takes minutes to compile on a busy core.
        config.model.encoders = {"audio": {}, "video": {}}
    return loop.prepare(from_mapping(Config, config.to_dict()))


def _batches(run: Any, times: int) -> Iterator[Any]:
    """Yields batches as the loop makes them, of an epoch of so many."""
    from arm_jax import parallel
    from arm_jax.data import pipeline

    train = run.dataset.splits["train"]
    copies = np.tile(np.arange(len(train)), times - 1)
    batches = pipeline.epoch_batches(
        train,
        run.config.data.batch_size,
        seed=0,
        epoch=0,
        copy_row=copies,
        copy_mask=np.ones((len(copies), 2), np.float32),
    )
    make = parallel.side_by_side([batches.make])
    return pipeline.stream(train, pipeline.Batches(batches.number, make))


def flops(flags: argparse.Namespace) -> Iterator[Row]:
    """Counts the operations of a training step, before XLA's changes."""
    import jax

    from arm_jax import optimizers, training

    for method in ("joint", "arm"):
        run = _run(flags, method, "float32")
        step = training.make_train_step(
            run.model,
            run.method,
            optimizers.create(run.config.optimizer, run.schedule.total),
            run.dataset.log_prior,
        )
        shapes = jax.eval_shape(run.initial).state
        batch = jax.tree.map(lambda x: x[0], next(_batches(run, 1)))
        lowered = jax.jit(jax.vmap(step)).lower(shapes, batch)
        convolutions = lowered.as_text().count("stablehlo.convolution")
        counted = (lowered.cost_analysis() or {})["flops"]
        yield {"method": method, "flops": counted, "convolutions": convolutions}


def steps(flags: argparse.Namespace, method: str, dtype: str) -> Iterator[Row]:
    """Times training steps, and says what memory they take."""
    import jax

    run = _run(flags, method, dtype)
    batches = list(itertools.islice(_batches(run, 1), 3 if flags.tiny else 20))
    state = run.initial().state

    def seconds(batches: list[Any], each: bool) -> float:
        nonlocal state
        start = time.perf_counter()
        for batch in batches:
            state, metrics = run.train_step(state, batch)
            if each:
                jax.block_until_ready(metrics)
        jax.block_until_ready(state)
        return (time.perf_counter() - start) / len(batches)

    first = seconds(batches[:1], True)
    row: Row = {"compile": first, "peak": _peak()}
    row["host"] = min(seconds(batches, True) for _ in range(4))
    row["peak"] = _peak()
    row["ahead"] = min(seconds(batches, False) for _ in range(4))
    there = jax.device_put(batches)
    row["device"] = min(seconds(there, False) for _ in range(4))
    yield row | {"device kind": jax.devices()[0].device_kind}


def _peak() -> float | None:
    """Returns the most GB that arrays and programs took on the device."""
    import jax

    found = jax.local_devices()[0].memory_stats()
    return found["peak_bytes_in_use"] / 1e9 if found else None


def loader(
    flags: argparse.Namespace, processes: int, threads: int
) -> Iterator[Row]:
    """Counts the examples that workers make, once all are at work."""
    if flags.tiny:
        processes = min(processes, 1)
    run = _run(flags, "joint", "float32", processes=processes, threads=threads)
    start = time.perf_counter()
    batches = _batches(run, 2 if flags.tiny else 12)
    next(batches)
    began = time.perf_counter()
    for _ in itertools.islice(batches, 2 if flags.tiny else 40):
        pass
    middle = time.perf_counter()
    rest = sum(1 for _ in batches)
    took = time.perf_counter() - middle
    yield {
        "first": began - start,
        "clips/s": rest * run.config.data.batch_size / took,
    }


def train(flags: argparse.Namespace, dtype: str) -> Iterator[Row]:
    """Trains on what 16 workers make; which of the two waits?"""
    import jax

    processes = 1 if flags.tiny else 16
    run = _run(flags, "joint", dtype, processes=processes, threads=1)
    state = run.initial().state
    batches = _batches(run, 2 if flags.tiny else 12)
    state, metrics = run.train_step(state, next(batches))
    for batch in itertools.islice(batches, 2 if flags.tiny else 40):
        state, metrics = run.train_step(state, batch)
    jax.block_until_ready(state)
    start, waited, count = time.perf_counter(), 0.0, 0
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is None:
            break
        count += 1
        state, metrics = run.train_step(state, batch)
        jax.block_until_ready(metrics)
    took = time.perf_counter() - start
    size = run.config.data.batch_size
    yield {"clips/s": count * size / took, "waiting": waited / took}


def _solve(arrays: Any, device: str, runs: int, **options: Any) -> Row:
    """Times a call on a batch of marginals."""
    import jax

    import bounds

    options["devices"] = jax.devices(device or None)[:1]
    times = []
    for _ in range(1 + runs):
        start = time.perf_counter()
        out = bounds.pid_from_marginals(*arrays, **options)
        times.append(time.perf_counter() - start)
    return {
        "shape": "x".join(
            map(str, (*arrays[0].shape[1:2], *arrays[1].shape[1:]))
        ),
        "tables": len(arrays[0]),
        "compile": times[0] - min(times[1:]),
        "seconds": min(times[1:]),
        "gap": float(out.gap.max()),
        "certified": float(np.mean(out.status == 0)),
        "steps": int(out.steps.max()),
        # The host's is not counted.
        "peak": None if device == "cpu" else _peak(),
    }


def many(
    flags: argparse.Namespace,
    tol: float,
    tables: int,
    device: str = "",
    memory: float = 2**30,
) -> Iterator[Row]:
    """Solves resampled tables of 64 x 64 x 31: 5,000 samples of one."""
    shape = (4, 4, 8) if flags.tiny else (64, 64, 31)
    tables = 20 if flags.tiny else tables
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).cumsum()
    ones, twos = np.zeros((2, tables, shape[0] * shape[2]))
    for number in range(tables):
        cell = np.searchsorted(share, rng.random(5000) * share[-1])
        x1, x2, y = np.unravel_index(cell, shape)
        for into, x in ((ones, x1), (twos, x2)):
            counts = np.bincount(x * shape[2] + y, minlength=ones.shape[1])
            into[number] = counts / 5000
    arrays = [x.reshape(tables, shape[0], shape[2]) for x in (ones, twos)]
    how = {"solver": "scaling", "tol": tol, "memory_limit": memory}
    yield _solve(arrays, device, 1, **how)


def single(flags: argparse.Namespace, device: str = "") -> Iterator[Row]:
    """Solves one large table."""
    from experiments.benchmark_solvers import marginals

    for side in (8,) if flags.tiny else (64, 256):
        arrays = marginals((side, side, 31), 1)
        for tol in (1e-3, 1e-4):
            yield {"tol": tol} | _solve(
                arrays, device, 3, solver="scaling", tol=tol
            )


def small(
    flags: argparse.Namespace, device: str = "", cells: int = 0
) -> Iterator[Row]:
    """Solves batches of small tables by the interior point."""
    from bounds import _solvers
    from experiments.benchmark import PID_CASES

    # How many tables make a chunk.
    _solvers._CELLS_OFF_CPU = cells or _solvers._CELLS_OFF_CPU
    for name, (batch, _) in PID_CASES.items():
        shape = tuple(map(int, name.split("x")))
        if flags.tiny and max(shape) > 3:
            continue
        rng = np.random.default_rng(0)
        p = rng.dirichlet(np.ones(np.prod(shape)), batch // (100**flags.tiny))
        p = p.reshape(-1, *shape)
        yield _solve((p.sum(2), p.sum(1)), device, 2)


def methods(flags: argparse.Namespace) -> Iterator[Row]:
    """Times a step of every method on avdigits."""
    from configs import avdigits
    from experiments import benchmark_steps, cli

    config = cli.to_dict(avdigits.get_config())
    names = benchmark_steps.defined_methods(config)
    # The two of the issue first, whatever the time allows.
    names = sorted(names, key=lambda name: name not in ("joint", "arm"))
    for name in names[: 2 if flags.tiny else None]:
        seeds = (1, 5) if name in ("joint", "arm") else (1,)
        found = benchmark_steps.step_seconds(config, [name], seeds)[name]
        yield {"method": name, "seconds": found}
