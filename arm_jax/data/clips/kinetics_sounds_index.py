"""Kinetics-Sounds as people have it: lists of clips, and videos somewhere.

Reads lists and names of files, no video. Videos are known by the 11 characters
of their YouTube id, and their start where one id has several; names of folders
count only where there is no list.
"""

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arm_jax.data import packed
from arm_jax.data.clips import protocols
from arm_jax.data.clips.classes import KINETICS_SOUNDS, chosen, plain
from arm_jax.data.clips.stored import Media
from arm_jax.data.preparation import Index, Item, trees, video
from arm_jax.data.preparation import files as contents
from arm_jax.data.preparation.items import ordered
from arm_jax.data.preparation.trees import File
from arm_jax.errors import InputError

NAME = "kinetics_sounds"
_ID = 11
# Where clips are for training and for testing; the official test split is left
# out, since its labels were not published at first.
_WORDS = {
    "train": "train",
    "val": "test",
    "validate": "test",
    "validation": "test",
}
_CSV = (
    r"(?:kinetics[-_]?(?:400[-_])?)?(train|val|validate|validation|test)\.csv"
)
_OGM = {"my_train.txt": "train", "my_test.txt": "test"}
_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_STEM = re.compile(r"(?P<id>[A-Za-z0-9_-]{11})(?:_(?P<start>\d+))?(?:_\d+)?")
_FOLDER = re.compile(r"[A-Za-z0-9_-]{11}_\d{1,6}(_\d{6})?")
_TRIED = (
    "tried videos anywhere below the folder, by their YouTube ids; lists "
    "{train,val}.csv or kinetics-400_{train,val}.csv (label, youtube_id, "
    "time_start, time_end, split), OGM-GE's my_{train,test}.txt, and folders "
    "{train,val}/CLASS"
)


class Clip(NamedTuple):
    """What a list says of a clip; `start` is -1 where it says nothing."""

    video_id: str
    start: int
    label: str
    split: str


def index(path: str, lists: str, classes: Sequence[str], split: str) -> Index:
    """Returns the clips of the lists, and which videos are missing.

    Args:
      path: The folder of the videos, or one around it.
      lists: Folder of the lists, if it is another one.
      classes: Name of a list of classes, or classes.
      split: "ogm" for OGM-GE's lists; else the official ones.

    Raises:
      InputError: The folder is not there, or holds something else; no lists,
        or some that cannot be read; unknown classes.
    """
    where = f"data set {NAME}"
    names = chosen(where, classes, KINETICS_SOUNDS)
    root = trees.folder(NAME, path, "the videos of Kinetics-400, unpacked")
    found = list(
        trees.files(
            root,
            video.SUFFIXES,
            enters=lambda name: not _FOLDER.fullmatch(name),
        )
    )
    videos = _by_id(found)
    if not videos:
        raise InputError(
            f"{where}: no videos of Kinetics in {root}: {_TRIED}"
            + trees.hints(root, "Kinetics", found)
        )
    roots = [packed.expanded(lists)] if lists else [root]
    if split == "ogm":
        clips, said = _ogm(roots, names)
    else:
        clips, said = _official(roots, names)
        if not clips:
            clips, said = _folders(found, names)
    if not clips:
        raise InputError(
            f"{where}: {len(found)} videos in {root}, but no list that names "
            f"any of the {len(names)} classes; {_TRIED}; where lists are "
            "elsewhere, --config.data.options.lists=FOLDER"
            + trees.hints(root, "Kinetics", found)
        )
    items = list(_items(clips, videos, names))
    if split in ("official", "ogm"):
        words = {x.split for x in items if not x.fault}
        protocols.check_sides(NAME, words, said)
    count = collections.Counter((x.split, x.fault) for x in items)
    lines = [
        f"Kinetics-Sounds: {len(found)} videos in {root}; {said}",
        *(
            f"{word}: {count[word, '']} clips with a video, "
            f"{count[word, 'missing']} missing"
            + (f", {n} ambiguous" if (n := count[word, "ambiguous"]) else "")
            for word in ("train", "test")
        ),
        f"{len(names)} classes, {names[0]} ... {names[-1]}",
    ]
    present = {x.label for x in items if not x.fault}
    lacking = [name for i, name in enumerate(names) if i not in present]
    if lacking:
        lines.append(f"no video of {len(lacking)} classes: {lacking[0]}, ...")
    again = _listed_otherwise(clips)
    if again:
        lines.append(
            "lines of clips listed before, with another class or for another "
            f"split: {again}; the first counts"
        )
    return Index(ordered(items), names, tuple(lines))


def _listed_otherwise(clips: Sequence[Clip]) -> int:
    """Returns how many clips contradict one before."""
    first: dict[tuple[str, int], tuple[str, str]] = {}
    count = 0
    for clip in clips:
        said = clip.split, plain(clip.label)
        count += first.setdefault((clip.video_id, clip.start), said) != said
    return count


def _by_id(found: Sequence[File]) -> Mapping[str, list[tuple[int, File]]]:
    """Returns the videos of each YouTube id with their starts."""
    videos: dict[str, list[tuple[int, File]]] = {}
    for file in found:
        match = _STEM.fullmatch(file.path.stem)
        if match:
            start = int(match["start"] or -1)
            videos.setdefault(match["id"], []).append((start, file))
    return videos


def _rank(start: int, at: int, file: File) -> tuple[bool, bool, bool, str]:
    """Orders copies of the clip from `start`: replacements come first.

    Then those whose name tells this start.
    """
    replaces = any("replacement" in part for part in file.path.parts[-3:-1])
    return file.size <= 0, not replaces, at != start, str(file.path)


def _items(
    clips: Sequence[Clip],
    videos: Mapping[str, list[tuple[int, File]]],
    names: Sequence[str],
) -> Iterator[Item]:
    labels = {plain(name): label for label, name in enumerate(names)}
    fitted: dict[str, tuple[Clip, File | None, bool, bool]] = {}
    for clip in clips:
        start = f"_{clip.start:06d}" if clip.start >= 0 else ""
        key = f"{clip.video_id}{start}"
        if key in fitted:
            continue
        fitting = [
            (at, file)
            for at, file in videos.get(clip.video_id, ())
            if -1 in (at, clip.start) or at == clip.start
        ]
        at, file = min(
            fitting,
            key=lambda x: _rank(clip.start, *x),
            default=(clip.start, None),
        )
        several = len({start for start, _ in fitting if start >= 0}) > 1
        fitted[key] = clip, file, at == clip.start, several
    uses = collections.Counter(x.path for _, x, *_ in fitted.values() if x)
    for key, (clip, file, exact, several) in fitted.items():
        fault = "" if file else "missing"
        # One video would stand on both sides or for two classes, or one of
        # several for a clip that may be another.
        if file and not exact and (several or uses[file.path] > 1):
            fault = "ambiguous"
        yield Item(
            key,
            clip.split,
            labels[plain(clip.label)],
            Media(str(file.path)) if file else None,
            f"{file.size} bytes" if file else "",
            clip.video_id,
            fault,
        )


def _official(
    roots: Sequence[Path], names: Sequence[str]
) -> tuple[list[Clip], str]:
    """Returns the clips of the official lists that are of the classes."""
    wanted = {plain(name) for name in names}
    clips: list[Clip] = []
    read = []
    for file in trees.lists(NAME, roots, _CSV).values():
        word = re.fullmatch(_CSV, file.name.lower())
        split = _WORDS.get(word[1] if word else "")
        if split is None:
            continue
        of_file = list(_rows(file, split))
        clips += (clip for clip in of_file if plain(clip.label) in wanted)
        read.append(file.name)
    return clips, f"lists {', '.join(read)}"


def _rows(file: Path, split: str) -> Iterator[Clip]:
    """Yields the clips of a list of Kinetics.

    Raises:
      InputError: It is no such list.
    """
    rows = [row for row in contents.rows(file) if row]
    header = [field.strip().lower() for field in rows[0]] if rows else []
    if "youtube_id" in header:
        columns, rows = header, rows[1:]
    else:
        columns = list(_COLUMNS)
    if "label" not in columns:
        raise InputError(
            f"{file} has no column of labels: it is not the one that has them"
        )
    label, video_id = columns.index("label"), columns.index("youtube_id")
    start = columns.index("time_start") if "time_start" in columns else -1
    for number, row in enumerate(rows, start=1):
        try:
            at = int(float(row[start])) if start >= 0 else -1
            clip = Clip(row[video_id].strip(), at, row[label], split)
        except (IndexError, ValueError, OverflowError):
            clip = Clip("", 0, "", split)
        if len(clip.video_id) != _ID:
            raise InputError(
                f"{file}, row {number}: '{','.join(row)[:60]}' is not "
                f"{','.join(columns[:4])}"
            )
        yield clip


def _ogm(roots: Sequence[Path], names: Sequence[str]) -> tuple[list[Clip], str]:
    """Returns the clips of OGM-GE's lists: `{id}_{start}[_{end}],10,{label}`.

    Raises:
      InputError: They are not there, or cannot be read; classes that they do
        not have.
    """
    known = KINETICS_SOUNDS["adamml31"]
    for name in names:
        if name not in known:
            raise InputError(
                f"data set {NAME}: OGM-GE's lists have no class '{name}'; set "
                "--config.data.options.classes=adamml31"
            )
    found = trees.lists(NAME, roots, "|".join(map(re.escape, _OGM)))
    clips = []
    for name, split in _OGM.items():
        if name not in found:
            raise InputError(
                f"data set {NAME}: there is no {name}; get OGM-GE's lists "
                "(data/KineticSound of its repository) and name their folder "
                "by --config.data.options.lists=FOLDER"
            )
        lines = contents.text(found[name]).splitlines()
        for number, line in enumerate(lines, start=1):
            fields = line.strip().split(",")
            if fields == [""]:
                continue
            match = _STEM.fullmatch(fields[0])
            last = fields[-1].strip()
            if not match or not last.isdigit() or int(last) >= len(known):
                raise InputError(
                    f"{found[name]}, line {number}: '{line[:60]}' is not "
                    "ID_START[_END],10,LABEL"
                )
            label = known[int(last)]
            if label in names:
                start = int(match["start"] or -1)
                clips.append(Clip(match["id"], start, label, split))
    return clips, f"OGM-GE's lists, {found['my_train.txt'].parent}"


def _folders(
    found: Sequence[File], names: Sequence[str]
) -> tuple[list[Clip], str]:
    """Returns the clips of folders SPLIT/CLASS, where there is no list."""
    wanted = {plain(name): name for name in names}
    clips = []
    for file in found:
        match = _STEM.fullmatch(file.path.stem)
        label = wanted.get(plain(file.path.parent.name))
        word = file.path.parent.parent.name.lower()
        if match and label and word in _WORDS:
            start = int(match["start"] or -1)
            clips.append(Clip(match["id"], start, label, _WORDS[word]))
    return clips, "no list; classes and splits from the names of folders"
