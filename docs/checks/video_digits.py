"""Digits as video files, through all that Kinetics-Sounds and UCF go through.

    python -m docs.checks.video_digits --npz=../shared/data/avdigits.npz \
        --out=/tmp/video_digits [--data_set=ucf] [--train=3000 ...]

Each digit of MNIST moves for a second, and a recording of the same digit is its
sound: written as H.264 and AAC in MP4 in CVDF's layout of Kinetics (of which
ten classes stand for the digits), or as MPEG-4 and MP3 in AVI in that of
UCF-101; then index, preparation, and ResNet-18s by some methods, as in the
configs but narrow, on small pictures and with fewer steps. Training and test
recordings and images are those of avdigits' official protocol. With
`--size=32 --batch=64 --seeds=1` (600 test clips, 12 minutes of two cores)
accuracies are, beside those of the arrays in `docs/comparison.md`:

| method | fused | sound alone | video alone | arrays, fused |
|---|--:|--:|--:|--:|
| joint | 98.5 | 97.8 | 48.7 | 99.4 |
| uniform | 100.0 | 98.2 | 82.8 | 99.9 |
| ogm_ge | 96.7 | 69.8 | 54.3 | 99.3 |
| arm | 99.2 | 95.7 | 82.7 | 99.9 |

Video alone is below the image of the arrays (86 to 96): mirrored crops of
digits of 22 pixels, by 2,244 clips.

With `--data_set=ucf` digits are in front of a texture, and flow takes the place
of sound. Tables are in `docs/ucf.md`, and of three seeds of 64 x 64 pixels in
`docs/kinetics_sounds.md`, of narrower encoders and with other numbers of clips
and epochs than the defaults here.

The tree is written once. Whatever else is changed, give another `--out`.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arm_jax import data
from arm_jax.data.clips.classes import KINETICS_SOUNDS, UCF
from arm_jax.data.preparation import images, video
from configs import kinetics_sounds, ucf51
from docs.checks.seeds import compared

SIZE, DIGIT, FPS, RATE = 64, 44, 10, 16_000
CLASSES = {
    "kinetics_sounds": KINETICS_SOUNDS["arm31"][:10],
    "ucf": UCF["ucf51"][:10],
}
_FORMATS = {
    "kinetics_sounds": ("mp4", "libx264", "aac"),
    "ucf": ("avi", "mpeg4", "libmp3lame"),
}


class Pair(NamedTuple):
    """A digit's image and a recording of it."""

    image: np.ndarray
    sound: np.ndarray
    label: int
    recording: int


def main() -> None:
    """Runs the check."""
    flags = _flags()
    root = flags.out / "files"
    if not (root / "written").exists():
        start = time.perf_counter()
        for split, count in (("train", flags.train), ("test", flags.test)):
            pairs = list(_pairs(flags.npz, split, count))
            if flags.data_set == "ucf":
                _write_ucf(root, split, pairs)
            else:
                _write_kinetics(root, split, pairs)
        (root / "written").touch()
        print(f"files written in {time.perf_counter() - start:.0f} s")
    module = ucf51 if flags.data_set == "ucf" else kinetics_sounds
    config = module.compare()
    _make_small(config, flags, root)
    options = config.training.data.options.to_dict()
    index = data.index(flags.data_set, options)
    print("\n".join(index.summary))
    start = time.perf_counter()
    prepared = data.prepare(
        flags.data_set, index, options, processes=flags.processes
    )
    print(f"prepared in {time.perf_counter() - start:.0f} s")
    print(prepared.summary)
    name = f"compare_digits_{flags.data_set}"
    methods = flags.methods.split(",")
    print(compared(config, flags.out, name, methods, flags.seeds))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--npz", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data_set", default="kinetics_sounds")
    parser.add_argument("--methods", default="joint,uniform,ogm_ge,arm")
    for name, number in (
        *(("train", 2500), ("test", 600), ("epochs", 8), ("width", 16)),
        *(("frames", 1), ("size", 64), ("rows", 64), ("processes", 2)),
        *(("seeds", 3), ("batch", 32)),
    ):
        parser.add_argument(f"--{name}", type=int, default=number)
    return parser.parse_args()


def _make_small(config: Any, flags: argparse.Namespace, root: Path) -> None:
    """Changes a comparison to what two cores do in minutes."""
    training = config.training
    if flags.data_set == "ucf":
        training.data.options.flow = "tvl1"
    training.data.options.update(
        path=str(root),
        data_dir=str(flags.out / "data"),
        classes=CLASSES[flags.data_set],
        short_side=SIZE,
        stored_frames=3,
        size=flags.size,
        frames=flags.frames,
        rows=flags.rows,
        # A digit is to be seen.
        crop=0.5,
    )
    for encoder in training.model.encoders.values():
        encoder.width = flags.width
    training.optimizer.learning_rate = 0.05
    training.optimizer.warmup = 0.1
    training.train.epochs = flags.epochs
    training.data.batch_size = flags.batch


def _pairs(npz: Path, split: str, count: int) -> Iterator[Pair]:
    """Yields the first pairs of a split of the official protocol."""
    with np.load(npz, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for image, recording in arrays[f"pairs_official_{split}"][:count]:
        start = arrays["audio_start"][recording]
        sound = arrays["audio_pcm"][start:][: arrays["audio_len"][recording]]
        yield Pair(
            arrays["image"][image],
            sound.astype(np.float32) / 32768,
            int(arrays["image_label"][image]),
            int(recording),
        )


def _write_kinetics(root: Path, split: str, pairs: Sequence[Pair]) -> None:
    """Writes CVDF's layout: the clips of a recording have one YouTube id."""
    word = {"train": "train", "test": "val"}[split]
    (root / word).mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    with (root / "annotations" / f"{word}.csv").open("w") as file:
        lines = csv.writer(file)
        lines.writerow(
            ("label", "youtube_id", "time_start", "time_end", "split")
        )
        for number, pair in enumerate(pairs):
            video_id = f"fsdd-{pair.recording:06d}"
            name = f"{video_id}_{number:06d}_{number + 10:06d}.mp4"
            _write(root / word / name, pair, number, "kinetics_sounds")
            label = CLASSES["kinetics_sounds"][pair.label]
            lines.writerow((label, video_id, number, number + 10, word))


def _write_ucf(root: Path, split: str, pairs: Sequence[Pair]) -> None:
    """Writes UCF-101's layout: groups 1 to 7 are for testing."""
    first, groups = {"train": (8, 18), "test": (1, 7)}[split]
    counts = dict.fromkeys(range(10), 0)
    names = []
    for number, pair in enumerate(pairs):
        label = CLASSES["ucf"][pair.label]
        nth = counts[pair.label]
        counts[pair.label] += 1
        group, clip = first + nth % groups, 1 + nth // groups
        name = f"{label}/v_{label}_g{group:02d}_c{clip:02d}.avi"
        (root / "UCF-101" / label).mkdir(parents=True, exist_ok=True)
        _write(root / "UCF-101" / name, pair, number, "ucf")
        names.append(name)
    (root / f"{split}list01.txt").write_text("\n".join(names) + "\n")


def _write(path: Path, pair: Pair, seed: int, data_set: str) -> None:
    """Writes a clip of a second."""
    av = video.library()
    container, codec, sound_codec = _FORMATS[data_set]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "18"}
        else:
            stream.bit_rate = 400_000
        sound = file.add_stream(sound_codec, rate=RATE, layout="mono")
        # Flow in front of nothing is that of the digit everywhere.
        scene = _texture(seed) if data_set == "ucf" else _nothing()
        for number, picture in enumerate(_moving(pair.image, scene, seed)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
        # Recordings are at 8 kHz.
        samples = np.zeros(RATE // 2, np.float32)
        count = min(len(pair.sound), len(samples))
        samples[:count] = pair.sound[:count]
        whole = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        whole.sample_rate, whole.pts = RATE // 2, 0
        whole.time_base = Fraction(2, RATE)
        context = sound.codec_context
        resampler = av.AudioResampler(
            context.format, context.layout, RATE, context.frame_size
        )
        for part in (*resampler.resample(whole), *resampler.resample(None)):
            file.mux(sound.encode(part))
        file.mux(sound.encode())


def _nothing() -> np.ndarray:
    return np.zeros((SIZE, SIZE, 3), np.uint8)


def _texture(seed: int) -> np.ndarray:
    """Returns grey spots, darker than digits."""
    coarse = np.random.default_rng([seed, 1]).integers(0, 100, (16, 16))
    spots = images.library().fromarray(coarse.astype(np.uint8))
    return np.asarray(spots.resize((SIZE, SIZE)))[..., None].repeat(3, axis=2)


def _moving(
    image: np.ndarray, scene: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Yields the frames of a digit that moves on a straight line."""
    digit = images.library().fromarray(image).resize((DIGIT, DIGIT))
    pixels = np.asarray(digit)[..., None]
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(8, 16)  # pixels in a second
    centre = (SIZE - DIGIT) / 2
    for number in range(FPS):
        way = speed * (number / FPS - 0.5)
        top = round(centre + way * np.sin(angle))
        left = round(centre + way * np.cos(angle))
        picture = scene.copy()
        part = picture[top : top + DIGIT, left : left + DIGIT]
        np.maximum(part, pixels, out=part)
        yield picture


if __name__ == "__main__":
    main()
