"""UPMC Food-101 in small: 3 classes of 8 images, in the layout of the real one.

The colour of an image and a word of its title tell the class.
"""

from pathlib import Path

import numpy as np

CLASSES = ("apple_pie", "omelette", "ramen")
SIZES = {"train": 6, "test": 2}
COLORS = ((200, 40, 40), (220, 200, 40), (60, 60, 180))
WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apple", "pie", "omelette",
    "ramen", "best", "recipe", "quick", ",", "##s", '"',
]  # fmt: skip


def write(root: Path) -> Path:
    """Writes images and titles, and returns `root`."""
    from PIL import Image

    rng = np.random.default_rng(0)
    (root / "texts").mkdir(parents=True)
    for split, size in SIZES.items():
        lines = []
        for label, name in enumerate(CLASSES):
            folder = root / "images" / split / name
            folder.mkdir(parents=True)
            for n in range(size):
                n += 100 * (split == "test")
                noise = rng.integers(-30, 31, (18, 24, 3))
                file = f"{name}_{n}.jpg"
                pixels = (noise + COLORS[label]).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / file)
                word = name.replace("_", " ")
                lines.append(f"{file},Best {word}s recipe,{name}")
        write_lines(root, split, lines)
    return root


def list_of(root: Path, split: str) -> Path:
    return root / "texts" / f"{split}_titles.csv"


def lines_of(root: Path, split: str) -> list[str]:
    return list_of(root, split).read_text().splitlines()


def write_lines(root: Path, split: str, lines: list[str]) -> None:
    list_of(root, split).write_text("\n".join(lines) + "\n")


def write_vocabulary(file: Path) -> str:
    file.write_text("\n".join(WORDS) + "\n")
    return str(file)
