"""CREMA-D as people have it: videos, recordings, and OGM-GE's lists or none.

Reads lists and names of files, which tell actor, sentence, emotion and level.
"""

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from arm_jax.data import packed
from arm_jax.data.clips import protocols
from arm_jax.data.clips.classes import CREMAD
from arm_jax.data.clips.stored import Media
from arm_jax.data.preparation import Index, Item, trees, video
from arm_jax.data.preparation import files as contents
from arm_jax.data.preparation.items import ordered
from arm_jax.errors import InputError

NAME = "cremad"
CLIPS = 7442
_CLIP = re.compile(
    r"(?P<actor>1\d{3})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(LO|MD|HI|XX|X)"
)
_LISTS = {"train.csv": "train", "test.csv": "test"}
# A minute in which the actor goes through all emotions.
_MIXED = "1064_IEO_DIS_MD"
_TRIED = (
    "tried VideoFlash/*.flv, or videos of other kinds, AudioWAV/*.wav or "
    "AudioMP3/*.mp3, anywhere below the folder, by their names, such as "
    "1001_DFA_ANG_XX"
)


def index(path: str, lists: str, *, needs_lists: bool) -> Index:
    """Returns the clips, and what is missing.

    Args:
      path: The folder of the videos, or one around it.
      lists: Folder of OGM-GE's lists, if it is another one.
      needs_lists: Whether the lists must be there.

    Raises:
      InputError: The folder is not there, or holds something else; lists are
        missing, or cannot be read.
    """
    where = f"data set {NAME}"
    root = trees.folder(NAME, path, "VideoFlash/ and AudioWAV/")
    found = list(trees.files(root, video.SUFFIXES | video.SOUND_SUFFIXES))
    videos, sounds = (
        _by_name(found, suffixes)
        for suffixes in (video.SUFFIXES, video.SOUND_SUFFIXES)
    )
    if not videos:
        more = f"; there are {len(sounds)} recordings" if sounds else ""
        raise InputError(
            f"{where}: no videos of CREMA-D in {root}{more}: {_TRIED}"
            + trees.hints(root, "CREMA-D", found)
        )
    roots = [packed.expanded(lists)] if lists else [root]
    words, read = _lists(roots)
    if needs_lists and set(words.values()) != set(_LISTS.values()):
        raise InputError(
            f"{where}: {len(videos)} videos in {root}, but not both of "
            "OGM-GE's train.csv and test.csv (lines such as "
            "1088_IOM_NEU_XX,NEU); name their folder by "
            "--config.data.options.lists=FOLDER, or split by actor: "
            "--config.data.options.split=random"
        )
    items = list(_items(videos, sounds, words))
    if needs_lists:
        there = {x.split for x in items if not x.fault}
        protocols.check_sides(NAME, there, f"lists {', '.join(read)}")
    faults = collections.Counter(item.fault for item in items)
    usable = faults.pop("", 0)
    silent = sum(name not in sounds for name in videos)
    small = sum(file.size < 200 for file in videos.values())
    lines = [
        f"CREMA-D: {len(videos)} videos, {len(sounds)} recordings in {root}; "
        + (f"lists {', '.join(read)}" if read else "no lists"),
        f"{usable} of {CLIPS} clips"
        + "".join(f", {n} {fault}" for fault, n in sorted(faults.items())),
    ]
    if silent:
        lines.append(
            f"{silent} clips have no recording of their own: the sound of "
            "their videos is taken"
        )
    if small > len(videos) / 10:
        lines.append(
            f"{small} videos have less than 200 bytes: git-lfs pointers, "
            "perhaps; get the files by git lfs pull"
        )
    return Index(ordered(items), tuple(CREMAD.values()), tuple(lines))


def _by_name(
    found: Sequence[trees.File], suffixes: frozenset[str]
) -> dict[str, trees.File]:
    """Returns the files of some kinds by the name of their clip."""
    files: dict[str, trees.File] = {}
    for file in found:
        name = file.path.stem.upper()
        if file.path.suffix.lower() in suffixes and _CLIP.fullmatch(name):
            kept = files.setdefault(name, file)
            # WAV, which nothing was lost in, before MP3; a copy of something
            # before one of nothing.
            if _rank(file) < _rank(kept):
                files[name] = file
    return files


def _rank(file: trees.File) -> tuple[bool, bool]:
    return file.size <= 0, file.path.suffix.lower() == ".mp3"


def _items(
    videos: Mapping[str, trees.File],
    sounds: Mapping[str, trees.File],
    words: Mapping[str, str],
) -> Iterator[Item]:
    labels = {emotion: label for label, emotion in enumerate(CREMAD)}
    for name in sorted({*videos, *words}):
        match = _CLIP.fullmatch(name)
        if match is None or match["emotion"] not in labels:
            continue
        file, sound = videos.get(name), sounds.get(name)
        fault = "" if file else "missing"
        yield Item(
            name,
            words.get(name, ""),
            labels[match["emotion"]],
            Media(str(file.path), str(sound.path) if sound else "")
            if file
            else None,
            f"{_bytes(file)} and {_bytes(sound)} bytes",
            match["actor"],
            "several_emotions" if name == _MIXED and file else fault,
        )


def _bytes(file: trees.File | None) -> int:
    return file.size if file else 0


def _lists(roots: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """Returns what OGM-GE's lists say of each clip, and their names.

    Raises:
      InputError: A line that names no clip, another emotion than its name, or
        a clip of both lists.
    """
    words: dict[str, str] = {}
    read = []
    pattern = "|".join(map(re.escape, _LISTS))
    for list_name, file in sorted(trees.lists(NAME, roots, pattern).items()):
        read.append(list_name)
        word = _LISTS[list_name]
        for number, row in enumerate(contents.rows(file), start=1):
            if not row or (number == 1 and row[0].strip().lower() == "name"):
                continue
            name = row[0].strip().upper()
            match = _CLIP.fullmatch(name)
            told = row[1].strip().upper() if len(row) > 1 else ""
            if not match or told not in ("", match["emotion"]):
                raise InputError(
                    f"{file}, line {number}: '{','.join(row)[:60]}' is not a "
                    "clip and its emotion, such as 1088_IOM_NEU_XX,NEU"
                )
            if words.setdefault(name, word) != word:
                raise InputError(
                    f"{file}, line {number}: {name} is in both lists"
                )
    return words, read
