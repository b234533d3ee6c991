"""UPMC Food-101 as people have it: where images and titles are, and which.

Reads lists and names of files, no image.
"""

import collections
import dataclasses
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from arm_jax.data import packed
from arm_jax.data.preparation import Index, Item, files, images
from arm_jax.data.preparation.items import ordered
from arm_jax.errors import InputError, check_known

SPLITS = ("train", "test")
CLASSES = 101
_IMAGES = ("images", "")
_TITLES = ("texts", "text", "")
# Names of the columns, where a header gives them.
_COLUMNS = {
    "image": {"image", "image_path", "img", "file", "filename"},
    "title": {"title", "text"},
    "class": {"class", "label", "category"},
}
_ORDER = ("image", "title", "class")


class Line(NamedTuple):
    """One line of a list of titles."""

    image: str
    title: str
    class_name: str


@dataclasses.dataclass
class Titles:
    """What a list of titles holds.

    Attributes:
      lines: The lines that could be read.
      bad: Numbers of the others, from 1.
      renamed: How many images were named .txt.
      header: Whether the first line names the columns.
    """

    lines: list[Line]
    bad: list[int]
    renamed: int
    header: bool


def index(path: str, classes: Sequence[str]) -> Index:
    """Returns the images that have a title, and what is wrong with others.

    Args:
      path: The folder, or one around it.
      classes: The classes to take, in the order of their labels; all, by name,
        if empty.

    Raises:
      InputError: It is not there, or is something else, or a list cannot be
        read; unknown classes.
    """
    if not path:
        raise InputError(
            "data set food101 needs the option 'path' "
            "(--config.data.options.path=FOLDER), a folder with images/ and "
            "texts/"
        )
    pictures, lists = _located(packed.expanded(path))
    image_files = {split: _images(pictures / split) for split in SPLITS}
    folders = sorted(
        {name for split in SPLITS for name, _ in image_files[split]}
    )
    if not folders:
        raise InputError(
            f"data set food101: the folders of classes in {pictures}/train "
            "have no images; unpack them anew"
        )
    names = [_plain(name) for name in classes] or folders
    for name in names:
        check_known("data set food101: no class", name, folders)
        if name.encode("utf-8", "replace").decode() != name:
            raise InputError(
                "data set food101: the name of the folder of class "
                f"{ascii(name)} is no text (UTF-8): rename it"
            )
    if len(set(names)) < len(names):
        raise InputError("data set food101: a class is named twice")
    lines = [f"UPMC Food-101: images in {pictures}, titles in {lists}"]
    items: list[Item] = []
    for split in SPLITS:
        titles = _titles(_list(lists, split))
        rows = list(_items(split, titles, image_files[split], names, folders))
        items += rows
        lines += _said(split, titles, rows)
    summary = f"{len(names)} classes, {names[0]} ... {names[-1]}"
    if len(folders) < CLASSES:
        summary += f"; there are folders of {len(folders)} of {CLASSES}"
    lines.append(summary)
    return Index(ordered(items), tuple(names), tuple(lines))


def _list(folder: Path, split: str) -> Path:
    return folder / f"{split}_titles.csv"


def _located(root: Path) -> tuple[Path, Path]:
    """Returns the folder of the images' splits, and that of the lists."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise InputError(
            f"data set food101: {root} {what}; 'path' is the folder with "
            "images/ and texts/, unpacked"
        )
    bases = [root, *files.folders(root)]
    pictures, lists = [], []
    for base in bases:
        here = [
            base / name
            for name in _IMAGES
            if all((base / name / split).is_dir() for split in SPLITS)
        ]
        texts = [
            base / name
            for name in _TITLES
            if all(_list(base / name, split).is_file() for split in SPLITS)
        ]
        if here and texts:
            return here[0], texts[0]
        pictures += here
        lists += texts
    if pictures and lists:
        return pictures[0], lists[0]
    raise InputError(_nothing(root, bases, pictures, lists))


def _nothing(
    root: Path,
    bases: Sequence[Path],
    pictures: Sequence[Path],
    lists: Sequence[Path],
) -> str:
    """Says what is missing, what was tried, and what is there instead."""
    wanted = "images/{train,test}/CLASS/*.jpg"
    texts = "texts/{train,test}_titles.csv"
    if pictures:
        missing = f"images are in {pictures[0]}, but there is no {texts}"
    elif lists:
        missing = f"titles are in {lists[0]}, but there is no {wanted}"
    else:
        missing = f"there is neither {wanted} nor {texts}"
    hints = []
    for base in bases:
        if (base / "meta").is_dir():
            hints.append(
                "this looks like ETHZ Food-101, which has other images and no "
                "titles"
            )
        if (base / "texts_txt").is_dir():
            hints.append(
                "texts_txt holds whole pages: the lists of titles are needed"
            )
    packs = [
        file.name
        for file in sorted(root.iterdir())
        if file.name.endswith((".zip", ".tar", ".gz", ".tgz"))
    ]
    if packs:
        hints.append(f"unpack {packs[0]} first")
    return (
        f"data set food101: no UPMC Food-101 in {root}: {missing}; tried "
        "images/ or none, texts/, text/ or none, here and one folder below"
        + "".join(f"; {hint}" for hint in hints)
    )


def _plain(name: str) -> str:
    return name.strip().replace(" ", "_").casefold()


def _images(folder: Path) -> dict[tuple[str, str], tuple[Path, int]]:
    """Returns path and bytes of each image, by class and name."""
    return {
        (_plain(of_class.name), name): (of_class / name, size)
        for of_class in files.folders(folder)
        for name, size in files.sizes(of_class, images.SUFFIXES).items()
    }


def _titles(file: Path) -> Titles:
    """Reads a list of titles, line by line.

    Titles have commas and quotes that nobody closed, after which a reader of
    CSV would swallow lines: the first and the last comma separate.

    Raises:
      InputError: It cannot be read, or has a header with other columns.
    """
    text = files.text(file).replace("\r\n", "\n").rstrip("\n").split("\n")
    order = _header(file, text[0])
    header = order is not None
    columns = order or _ORDER
    at = columns.index("title")
    titles = Titles([], [], 0, header)
    for number, line in enumerate(text[header:], start=1 + header):
        if not line.strip():
            continue
        fields = line.split(",")
        after = len(fields) - (len(columns) - 1 - at)
        if len(fields) < len(columns):
            titles.bad.append(number)
            continue
        parts = [*fields[:at], ",".join(fields[at:after]), *fields[after:]]
        row = dict(zip(columns, map(_unquoted, parts), strict=True))
        image = os.path.basename(row["image"])
        stem, suffix = os.path.splitext(image)
        if suffix.lower() == ".txt":
            image = f"{stem}.jpg"
            titles.renamed += 1
        titles.lines.append(Line(image, row["title"], _plain(row["class"])))
    return titles


def _header(file: Path, line: str) -> tuple[str, ...] | None:
    """Returns the columns that a first line names; None if it is no header."""
    fields = [_unquoted(field).lower() for field in line.split(",")]
    suffixes = {os.path.splitext(field)[1] for field in fields}
    if suffixes & {*images.SUFFIXES, ".txt"}:
        return None
    columns = tuple(
        next((key for key, words in _COLUMNS.items() if field in words), "")
        for field in fields
    )
    if sorted(columns) == sorted(_ORDER):
        return columns
    # A column of numbers that pandas wrote has no name.
    if not fields[0] and sorted(columns[1:]) == sorted(_ORDER):
        return columns
    raise InputError(
        f"{file} begins with '{line[:60]}', neither an image, its title and "
        "its class, nor the names of these columns, such as "
        "image_path,title,class"
    )


def _unquoted(field: str) -> str:
    field = field.strip()
    if field[:1] == '"':
        field = field[1:]
    if field[-1:] == '"':
        field = field[:-1]
    return field.replace('""', '"').strip()


def _items(
    split: str,
    titles: Titles,
    image_files: dict[tuple[str, str], tuple[Path, int]],
    names: Sequence[str],
    folders: Sequence[str],
) -> Iterator[Item]:
    labels = {name: label for label, name in enumerate(names)}
    wanted = set(labels)
    if len(names) == len(folders):
        # All: those that have no folder are missing, too.
        wanted |= {line.class_name for line in titles.lines}
    seen = set()
    for line in titles.lines:
        where = line.class_name, line.image
        if where in seen or line.class_name not in wanted:
            continue
        seen.add(where)
        path, size = image_files.get(where, (None, -1))
        yield Item(
            f"{split}/{line.class_name}/{line.image}",
            split,
            labels.get(line.class_name, -1),
            (str(path), line.title),
            f"{size} bytes, title {zlib.crc32(line.title.encode()):08x}",
            fault="" if path else "missing",
        )
    for class_name, image in image_files:
        if class_name in labels and (class_name, image) not in seen:
            yield Item(
                f"{split}/{class_name}/{image}",
                split,
                labels[class_name],
                fault="no_title",
            )
    for number in titles.bad:
        key = f"{split}_titles.csv, line {number}"
        yield Item(key, split, -1, fault="bad_line")


def _said(split: str, titles: Titles, items: Sequence[Item]) -> Iterator[str]:
    faults = collections.Counter(item.fault for item in items)
    usable = faults.pop("", 0)
    yield (
        f"{split}: {usable} images with a title"
        + "".join(f", {n} {fault}" for fault, n in sorted(faults.items()))
        + ("; the list has a header" if titles.header else "")
        + (
            f"; {titles.renamed} lines name .txt in place of .jpg"
            if titles.renamed
            else ""
        )
    )
    absent = collections.Counter(
        item.key.split("/")[1]
        for item in items
        if item.fault == "missing" and item.label < 0
    )
    if absent:
        words = ", ".join(f"{name} ({n})" for name, n in absent.most_common(5))
        yield f"{split}: titles of classes that have no folder: {words}"
