"""UCF-101 as people have it: videos by class, lists of splits, flow or none.

Reads lists and names of files, no video. Names are compared whatever their
case: folders say HandstandPushups, videos HandStandPushups.
"""

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from arm_jax.data import packed
from arm_jax.data.clips import protocols
from arm_jax.data.clips.classes import UCF, chosen
from arm_jax.data.clips.stored import Media
from arm_jax.data.preparation import Index, Item, trees, video
from arm_jax.data.preparation import files as contents
from arm_jax.data.preparation.items import ordered
from arm_jax.errors import InputError

NAME = "ucf"
FOLDS = 3
_CLIP = re.compile(r"v_(?P<class>[a-z]+)_(?P<group>g\d\d)_c\d\d")
_LIST = r"(train|test)list0([1-3])\.txt"
_TRIED = (
    "tried UCF-101/CLASS/v_CLASS_gGG_cCC.avi (or .mp4) anywhere below the "
    "folder, {train,test}list0{1,2,3}.txt, and two folders u/ and v/ of "
    "v_CLASS_gGG_cCC/frame000001.jpg"
)
# No word of a list: the clip is in none of this fold.
_NONE = "-"


def index(
    path: str,
    lists: str,
    flow_path: str,
    classes: Sequence[str],
    *,
    needs_lists: bool,
    needs_flow: bool,
) -> Index:
    """Returns the clips of the classes, and what is missing.

    The split of an item has a word for each of the three official ones.

    Args:
      path: The folder of the videos, or one around it.
      lists: Folder of the lists, if it is another one.
      flow_path: Folder of u/ and v/, or one around it, if it is another one.
      classes: Name of a list of classes, or classes.
      needs_lists: Whether the lists must be there.
      needs_flow: Whether flow is read from images.

    Raises:
      InputError: The folder is not there, or holds something else; lists or
        flow are missing, or cannot be read; unknown classes.
    """
    where = f"data set {NAME}"
    names = chosen(where, classes, UCF)
    root = trees.folder(NAME, path, "the videos of UCF-101, unpacked")
    found = list(trees.files(root, video.SUFFIXES, enters=_is_no_clip))
    videos: dict[str, trees.File] = {}
    for file in found:
        key = file.path.stem.lower()
        # A copy of something before one of nothing.
        if _CLIP.fullmatch(key) and (
            key not in videos or videos[key].size <= 0 < file.size
        ):
            videos[key] = file
    if not videos:
        raise InputError(
            f"{where}: no videos of UCF-101 in {root}: {_TRIED}"
            + trees.hints(root, "UCF-101", found)
        )
    roots = [packed.expanded(lists)] if lists else [root]
    words, read = _lists(roots)
    if needs_lists and not read:
        raise InputError(
            f"{where}: {len(videos)} videos in {root}, but no official lists; "
            f"{_TRIED}; get UCF101TrainTestSplits-RecognitionTask.zip, name "
            "its folder by --config.data.options.lists=FOLDER, or draw a "
            "split: --config.data.options.split=random"
        )
    flows: dict[str, tuple[str, str]] = {}
    if needs_flow:
        u, v = _flow_folders(packed.expanded(flow_path) if flow_path else root)
        flows = _flows(u, v)
    labels = {name.lower(): label for label, name in enumerate(names)}
    items = list(_items(videos, words, flows, labels, needs_flow))
    if needs_lists:
        # One of the three splits is enough.
        parts = [x.split.split() for x in items if not x.fault]
        folds = [set(fold) - {_NONE} for fold in zip(*parts, strict=True)]
        best = max(folds, key=len, default=set())
        protocols.check_sides(NAME, best, f"lists {', '.join(read)}")
    faults = collections.Counter(item.fault for item in items)
    usable = faults.pop("", 0)
    lines = [
        f"UCF: {len(videos)} videos in {root}; "
        + (f"lists {', '.join(read)}" if read else "no lists")
        + (f"; flow of {len(flows)} in {u}" if needs_flow else ""),
        f"{usable} clips of {len(names)} classes"
        + "".join(f", {n} {fault}" for fault, n in sorted(faults.items())),
    ]
    present = {item.label for item in items if not item.fault}
    lacking = [name for i, name in enumerate(names) if i not in present]
    if lacking:
        lines.append(f"no clip of {len(lacking)} classes: {lacking[0]}, ...")
    return Index(ordered(items), names, tuple(lines))


def _is_no_clip(name: str) -> bool:
    """Tells folders that may hold videos from those of a clip's images."""
    return not name.lower().startswith("v_")


def _items(
    videos: Mapping[str, trees.File],
    words: Mapping[str, Sequence[str]],
    flows: Mapping[str, tuple[str, str]],
    labels: Mapping[str, int],
    needs_flow: bool,
) -> Iterator[Item]:
    none = [_NONE] * FOLDS
    for key in sorted({*videos, *words}):
        match = _CLIP.fullmatch(key)
        if match is None or match["class"] not in labels:
            continue
        file, flow = videos.get(key), flows.get(key, ())
        fault = ""
        if file is None:
            fault = "missing"
        elif needs_flow and not flow:
            fault = "no_flow"
        yield Item(
            key,
            " ".join(words.get(key, none)),
            labels[match["class"]],
            Media(str(file.path), flow=tuple(flow)) if file else None,
            f"{file.size} bytes" if file else "",
            f"{match['class']}_{match['group']}",
            fault,
        )


def _lists(roots: Sequence[Path]) -> tuple[dict[str, list[str]], list[str]]:
    """Returns the words of each clip by fold, and the names of the lists.

    Raises:
      InputError: A line that names no clip, or a clip that a fold both trains
        and tests on.
    """
    words: dict[str, list[str]] = {}
    read = []
    for name, file in sorted(trees.lists(NAME, roots, _LIST).items()):
        match = re.fullmatch(_LIST, name)
        if match is None:
            continue
        read.append(name)
        word, fold = match[1], int(match[2]) - 1
        for number, line in enumerate(contents.text(file).splitlines(), 1):
            fields = line.split()
            if not fields:
                continue
            key = Path(fields[0]).stem.lower()
            if not _CLIP.fullmatch(key):
                raise InputError(
                    f"{file}, line {number}: '{line[:60]}' is not "
                    "CLASS/v_CLASS_gGG_cCC.avi"
                )
            mine = words.setdefault(key, [_NONE] * FOLDS)
            if mine[fold] not in (_NONE, word):
                raise InputError(
                    f"{file}, line {number}: {key} is for training and for "
                    f"testing in split {fold + 1}"
                )
            mine[fold] = word
    return words, read


def _flow_folders(root: Path) -> tuple[Path, Path]:
    """Returns the folders of u and v.

    Raises:
      InputError: They are not there.
    """
    if not root.is_dir():
        raise InputError(
            f"data set {NAME}: {root} does not exist; 'flow_path' is the "
            "folder with u/ and v/"
        )
    bases = [root, *contents.folders(root)]
    for base in bases:
        u, v = base / "u", base / "v"
        if u.is_dir() and v.is_dir():
            return u, v
    raise InputError(
        f"data set {NAME}: no flow in {root}: {_TRIED}; join the parts of "
        "ucf101_tvl1_flow.zip and unpack them, name the folder by "
        "--config.data.options.flow_path=FOLDER, or compute flow: "
        "--config.data.options.flow=tvl1" + trees.hints(root, "UCF-101", ())
    )


def _flows(u: Path, v: Path) -> dict[str, tuple[str, str]]:
    """Returns the folders of u and v of each clip that has both."""
    of_u, of_v = (
        {path.name.lower(): str(path) for path in contents.folders(folder)}
        for folder in (u, v)
    )
    return {key: (of_u[key], of_v[key]) for key in of_u.keys() & of_v.keys()}
