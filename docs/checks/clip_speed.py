"""How fast clips are prepared and read: one core, a clip of 10 s.

    python -m docs.checks.clip_speed [--width=340 --height=256]

Writes a moving texture with a tone as H.264 and AAC in MP4, then measures the
processor time of making its record (ten frames and a filter bank), of computing
flow, and of reading records as training does: three random crops of 224 x 224
and 1,024 rows, in batches of 64, in one thread. Then two processes make such
batches: what is left to the process that trains, and how long the first batch
of an epoch takes once they have begun.
"""

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

# One core, also for NumPy's products.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from arm_jax.data import Dataset, Split, pipeline
from arm_jax.data.clips.stored import Media, Stored, encode
from arm_jax.data.clips.views import View
from arm_jax.data.dataset import with_workers
from arm_jax.data.preparation import shards, tvl1, video
from arm_jax.data.source import Source

FPS, SECONDS, RATE = 30, 10, 44_100


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=340)
    parser.add_argument("--height", type=int, default=256)
    flags = parser.parse_args()
    stored = Stored("speed", ("audio", "video"))
    with TemporaryDirectory() as folder:
        file = Path(folder, "clip.mp4")
        file.write_bytes(written(flags.width, flags.height))
        media = Media(str(file))
        took = seconds(lambda: encode(media, stored=stored))
        record = encode(media, stored=stored)
    print(f"record of a clip of {SECONDS} s: {took:.3f} s of a core")
    frames = record["frames"]
    print(
        f"bytes of a record: {len(shards.encode(record)):,}, of a frame "
        f"{round(statistics.mean(map(len, frames))):,}"
    )
    view = View(stored.modalities, 3, 224, stored.audio)
    source = Source(
        [shards.encode(record)] * 64, restored, "", view.augment, view.settle
    )
    rng, seeds = np.random.default_rng(0), np.arange(64)[:, None]
    took = seconds(lambda: source.take(np.arange(64), seeds))
    print(f"examples for training: {64 / took:.0f} a second of a core")
    took = seconds(lambda: source.take(np.arange(64)))
    print(f"examples for evaluation: {64 / took:.0f} a second of a core")
    by_processes(source)
    one, other = rng.random((2, flags.height, flags.width)) * 255
    took = seconds(lambda: tvl1.flow(one, other), repeats=3)
    print(f"flow of a pair of frames: {took:.3f} s of a core")


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Returns the least processor time, after one call that warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def by_processes(source: Source, count: int = 2, batches: int = 12) -> None:
    """Prints what epochs cost whose batches are made by processes."""
    rows = np.arange(64)
    split = Split(source, label=np.zeros(64, np.int32), id=rows, groups={})
    split = with_workers(
        Dataset("speed", (), {"train": split}), 0, count
    ).splits["train"]

    def make(_: int) -> dict:
        return split.take(rows, rows[:, None])

    for epoch in ("first", "second"):
        wall, cpu = time.monotonic(), time.process_time()
        made = pipeline.stream(split, pipeline.Batches(batches, make))
        next(made)
        waited = time.monotonic() - wall
        rest = sum(1 for _ in made)
        took = time.monotonic() - wall - waited
        cpu = (time.process_time() - cpu) / batches
        print(
            f"{count} processes, {epoch} epoch: first batch after "
            f"{waited:.2f} s, then {64 * rest / took:.0f} examples a second; "
            f"{1e3 * cpu:.1f} ms per batch in the process that trains"
        )


def restored(record: bytes) -> dict:
    """Returns a record, as it is read from a file."""
    from flax import serialization

    return serialization.msgpack_restore(record)


def written(width: int, height: int) -> bytes:
    """Returns the bytes of a clip."""
    av = video.library()
    out = io.BytesIO()
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    texture = np.tile(coarse.repeat(8, axis=0).repeat(8, axis=1), (2, 2, 1))
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        sound = file.add_stream("aac", rate=RATE, layout="mono")
        for number in range(FPS * SECONDS):
            # A pixel a frame to the left, and up.
            at = number % min(width, height)
            picture = texture[at : at + height, at : at + width]
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(picture), "rgb24"
            )
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        time_of = np.arange(RATE * SECONDS) / RATE
        samples = 0.3 * np.sin(2 * np.pi * 1000 * time_of)[None]
        for start in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(
                part.astype(np.float32), "fltp", "mono"
            )
            frame.sample_rate, frame.pts = RATE, start
            frame.time_base = Fraction(1, RATE)
            file.mux(sound.encode(frame))
        file.mux(sound.encode())
    return out.getvalue()


if __name__ == "__main__":
    main()
