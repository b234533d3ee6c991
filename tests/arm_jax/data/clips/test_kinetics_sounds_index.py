"""Trees of names alone: the index reads no video."""

import shutil

import pytest

from arm_jax.data.clips import classes as class_lists
from arm_jax.data.clips import kinetics_sounds_index
from arm_jax.errors import InputError

CLASSES = ("bowling", "singing")
TRAIN = (("aaaaaaaaaaa", 3), ("_b-bbbbbb_1", 12), ("ccccccccccc", 0))
TEST = (("ddddddddddd", 100), ("-eeeeeeeee_", 7))


def label(number):
    return CLASSES[number % 2]


def name(clip):
    video_id, start = clip
    return f"{video_id}_{start:06d}_{start + 10:06d}.mp4"


def write(root, header=True, quote='"', words=("train", "val")):
    """CVDF's layout: flat folders and lists beside them."""
    (root / "annotations").mkdir(parents=True)
    parts = (words, ("train", "val"), (TRAIN, TEST))
    for word, split, clips in zip(*parts, strict=True):
        (root / split).mkdir()
        lines = ["label,youtube_id,time_start,time_end,split"] if header else []
        # One class of another data set's list.
        lines.append(f"abseiling,fffffffffff,0,10,{split}")
        for number, clip in enumerate(clips):
            (root / split / name(clip)).write_bytes(b"x" * 9)
            words = f"{quote}{label(number)}{quote}", clip[0], clip[1]
            lines.append(",".join(map(str, words)) + f",{clip[1] + 10},{split}")
        file = root / "annotations" / f"{word}.csv"
        file.write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "k400")


def index(root, lists="", classes=CLASSES, split="official"):
    return kinetics_sounds_index.index(str(root), str(lists), classes, split)


def rows(found):
    return [(x.key, x.split, x.label, x.group, x.fault) for x in found.items]


EXPECTED = sorted(
    (f"{video_id}_{start:06d}", split, number % 2, video_id, "")
    for split, clips in (("train", TRAIN), ("test", TEST))
    for number, (video_id, start) in enumerate(clips)
)


def test_what_is_there(root):
    found = index(root)
    assert rows(found) == EXPECTED
    item = next(x for x in found.items if x.key.startswith("_b-"))
    assert item.source.video == str(root / "train" / name(TRAIN[1]))
    assert item.stamp == "9 bytes"
    assert found.summary == (
        f"Kinetics-Sounds: 5 videos in {root}; lists train.csv, val.csv",
        "train: 3 clips with a video, 0 missing",
        "test: 2 clips with a video, 0 missing",
        "2 classes, bowling ... singing",
    )


def around(root):
    (root.parent / "data").mkdir()
    root.rename(root.parent / "data" / "k400")
    return root.parent / "data"


def by_class(root):
    """As links into folders of classes, beside the flat ones."""
    for split, clips in (("train", TRAIN), ("val", TEST)):
        for number, clip in enumerate(clips):
            folder = root / "videos" / split / label(number)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name(clip)).symlink_to(root / split / name(clip))
    return root


def avi(root):
    for file in root.glob("*/*.mp4"):
        file.rename(file.with_suffix(".avi"))
    return root


def unpadded(root):
    for clip in TRAIN:
        file = root / "train" / name(clip)
        file.rename(file.with_name(f"{clip[0]}_{clip[1]}.mp4"))
    return root


def a_disk(root):
    """Its root, with a folder that users may not look into."""
    (root / "lost+found").mkdir()
    (root / "lost+found" / "validate.csv").write_text("no list")
    return root


def bare_ids(root):
    for clip in TEST:
        file = root / "val" / name(clip)
        file.rename(file.with_name(f"{clip[0]}.mp4"))
    return root


def other_names_of_lists(root):
    for old, new in (("train", "kinetics-400_train"), ("val", "validate")):
        file = root / "annotations" / f"{old}.csv"
        file.rename(root / f"{new}.csv")
    return root


@pytest.mark.parametrize(
    "move",
    [around, by_class, avi, unpadded, bare_ids, other_names_of_lists, a_disk],
)
def test_layouts(root, move):
    assert rows(index(move(root))) == EXPECTED


@pytest.mark.parametrize(
    "options",
    [{"header": False}, {"quote": ""}, {"words": ("train", "validate")}],
)
def test_lists(tmp_path, options):
    assert rows(index(write(tmp_path / "k", **options))) == EXPECTED


def test_lists_elsewhere(root):
    (root / "annotations").rename(root.parent / "lists")
    with pytest.raises(InputError, match="5 videos in .*, but no list"):
        index(root)
    assert rows(index(root, root.parent / "lists")) == EXPECTED
    with pytest.raises(InputError, match="nowhere does not exist; 'lists'"):
        index(root, root.parent / "nowhere")


def test_replacements_come_first(root):
    folder = root / "replacement" / "replacement_for_corrupted_k400"
    folder.mkdir(parents=True)
    (folder / name(TRAIN[0])).write_bytes(b"better")
    item = next(x for x in index(root).items if x.key.startswith("aaa"))
    assert "replacement" in item.source.video
    assert item.stamp == "6 bytes"
    # An empty one does not.
    (folder / name(TRAIN[0])).write_bytes(b"")
    item = next(x for x in index(root).items if x.key.startswith("aaa"))
    assert item.stamp == "9 bytes"


def test_an_id_of_several_clips(root):
    """The start tells them apart."""
    file = root / "annotations" / "train.csv"
    lines = file.read_text() + "singing,aaaaaaaaaaa,50,60,train\n"
    file.write_text(lines)
    found = {x.key: x for x in index(root).items}
    assert found["aaaaaaaaaaa_000050"].fault == "missing"
    assert found["aaaaaaaaaaa_000003"].fault == ""
    (root / "train" / name(("aaaaaaaaaaa", 50))).touch()
    found = {x.key: x for x in index(root).items}
    assert found["aaaaaaaaaaa_000050"].source.video.endswith("000060.mp4")
    assert {x.group for x in found.values() if x.key[0] == "a"} == {"a" * 11}


def test_a_video_is_of_no_more_than_one_clip(root):
    """Without a start in its name, nobody knows of which."""
    for split, clip in (("train", TRAIN[0]), ("val", TEST[0])):
        file = root / split / name(clip)
        file.rename(file.with_name(f"{clip[0]}.mp4"))
    with (root / "annotations" / "val.csv").open("a") as lists:
        lists.write("singing,aaaaaaaaaaa,50,60,val\n")
    found = index(root)
    faults = {x.key: x.fault for x in found.items if x.fault}
    assert faults == {
        "aaaaaaaaaaa_000003": "ambiguous",
        "aaaaaaaaaaa_000050": "ambiguous",
    }
    assert found.summary[1:3] == (
        "train: 2 clips with a video, 0 missing, 1 ambiguous",
        "test: 2 clips with a video, 0 missing, 1 ambiguous",
    )
    # One that tells its start is taken, and leaves the other to the rest.
    (root / "val" / name(("aaaaaaaaaaa", 50))).write_bytes(b"x")
    found = {x.key: x for x in index(root).items if x.key[0] == "a"}
    assert not any(x.fault for x in found.values())
    videos = [x.source.video for x in found.values()]
    assert videos == [
        str(root / "train" / "aaaaaaaaaaa.mp4"),
        str(root / "val" / name(("aaaaaaaaaaa", 50))),
    ]


def test_clips_that_are_listed_otherwise_are_said(root):
    video_id, start = TRAIN[0]
    with (root / "annotations" / "val.csv").open("a") as lists:
        for label in ("bowling", "singing"):
            lists.write(f"{label},{video_id},{start},{start + 10},val\n")
    found = index(root)
    assert rows(found) == EXPECTED
    assert found.summary[-1].endswith("another split: 2; the first counts")


def test_a_list_without_starts(root):
    file = root / "annotations" / "train.csv"
    clips = "bowling,aaaaaaaaaaa\nbowling,ccccccccccc\n"
    file.write_text(f"label,youtube_id\n{clips}")
    assert [x.fault for x in index(root).items if x.key[0] == "a"] == [""]
    (root / "val" / name(("aaaaaaaaaaa", 50))).write_bytes(b"x")
    (item,) = (x for x in index(root).items if x.key[0] == "a")
    assert (item.key, item.fault) == ("aaaaaaaaaaa", "ambiguous")
    # One that has no start either is meant.
    (root / "val" / "aaaaaaaaaaa.mp4").write_bytes(b"x")
    (item,) = (x for x in index(root).items if x.key[0] == "a")
    assert (item.source.video[-15:], item.fault) == ("aaaaaaaaaaa.mp4", "")


def test_what_is_missing_is_said(root):
    (root / "train" / name(TRAIN[1])).unlink()
    found = index(root, classes=(*CLASSES, "tickling"))
    assert [x.key for x in found.items if x.fault] == ["_b-bbbbbb_1_000012"]
    assert found.summary[1] == "train: 2 clips with a video, 1 missing"
    assert found.summary[-1] == "no video of 2 classes: singing, ..." or (
        found.summary[-1] == "no video of 1 classes: tickling, ..."
    )


def test_folders_where_there_is_no_list(root):
    root = by_class(root)
    shutil.rmtree(root / "annotations")
    for folder in ("train", "val"):
        shutil.rmtree(root / folder)
    # The links lead nowhere now.
    for link in root.glob("videos/*/*/*.mp4"):
        link.unlink()
        link.touch()
    found = index(root)
    assert rows(found) == EXPECTED
    assert "no list; classes and splits from the names" in found.summary[0]


@pytest.fixture
def ogm(root):
    """Lists of OGM-GE: labels are those of AdaMML's list."""
    folder = root.parent / "KineticSound"
    folder.mkdir()
    known = class_lists.KINETICS_SOUNDS["adamml31"]
    train = [
        f"{video_id}_{start:06d}_{start + 10:06d},10,{known.index(label(n))}\r"
        for n, (video_id, start) in enumerate(TRAIN)
    ]
    test = [
        f"{video_id}_{start},10,{known.index(label(n))}"
        for n, (video_id, start) in enumerate(TEST)
    ]
    (folder / "my_train.txt").write_text("\n".join(train) + "\n")
    (folder / "my_test.txt").write_text("\n".join(test) + "\n")
    return folder


def test_lists_of_ogm(root, ogm):
    found = index(root, ogm, split="ogm")
    assert rows(found) == EXPECTED
    assert "OGM-GE's lists" in found.summary[0]


def test_damaged_lists_of_ogm(root, ogm):
    with pytest.raises(
        InputError, match="no class 'finger snapping'; set .*ad"
    ):
        index(root, ogm, ("arm31",), "ogm")
    with pytest.raises(InputError, match="no my_train.txt; get OGM-GE's lists"):
        index(root, "", split="ogm")
    (ogm / "my_test.txt").write_text("ddddddddddd_100,10,31\n")
    with pytest.raises(InputError, match="my_test.txt, line 1: .* is not ID_"):
        index(root, ogm, split="ogm")


def no_videos(root):
    for folder in ("train", "val"):
        shutil.rmtree(root / folder)


def packed(root):
    no_videos(root)
    (root / "train_part_0.tar.gz").touch()


def ucf(root):
    no_videos(root)
    (root / "v_Archery_g01_c01.avi").touch()


def other_classes(root):
    for file in root.glob("annotations/*"):
        file.write_text(file.read_text().replace("ing", "ong"))


def no_labels(root):
    file = root / "annotations" / "val.csv"
    file.write_text("youtube_id,time_start,time_end,split\nddddddddddd,1,2,x\n")


def short_ids(root):
    file = root / "annotations" / "val.csv"
    file.write_text("label,youtube_id,time_start,time_end\nbowling,dd,1,2\n")


def no_list_of_tests(root):
    (root / "annotations" / "val.csv").unlink()


def no_videos_of_tests(root):
    shutil.rmtree(root / "val")


def no_time(root):
    file = root / "annotations" / "val.csv"
    file.write_text("label,youtube_id,time_start\nbowling,ddddddddddd,inf\n")


def open_quote(root):
    file = root / "annotations" / "val.csv"
    file.write_text('label,youtube_id\n"' + "bowling,ddddddddddd\n" * 7000)


def page(root):
    (root / "annotations" / "val.csv").write_text("<!DOCTYPE html> no")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_videos, "no videos of Kinetics in .*: tried videos anywhere"),
        (packed, "; unpack train_part_0.tar.gz first"),
        (ucf, "v_Archery_g01_c01.avi looks like UCF-101"),
        (other_classes, "no list that names any of the 2 classes; tried"),
        (no_labels, "val.csv has no column of labels"),
        (short_ids, "val.csv, row 1: 'bowling,dd,1,2' is not label,youtube_id"),
        (no_list_of_tests, r"no clip for testing .*\(lists train.csv\)"),
        (no_videos_of_tests, r"no clip for testing .*n.csv, val.csv\); add"),
        (no_time, "val.csv, row 1: 'bowling,ddddddddddd,inf' is not label,yo"),
        (open_quote, r"val.csv, line \d+: field larger .* quote before it not"),
        (page, "val.csv is a web page: download the file itself"),
        (shutil.rmtree, "k400 does not exist; 'path' is the folder with"),
    ],
)
def test_folders_of_something_else(root, damage, message):
    damage(root)
    with pytest.raises(InputError, match=message):
        index(root)


def test_a_draw_needs_no_clips_for_testing(root):
    no_list_of_tests(root)
    found = index(root, split="random")
    assert {x.split for x in found.items} == {"train"}


def test_no_path():
    with pytest.raises(InputError, match="needs the option 'path'"):
        index("")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("bowling", "curling"),
            "no class or list 'curling'; known: arm31, ad",
        ),
        (("bowling", "Bowling"), "a class is named twice"),
        (("bowling",), "must name a list or two classes"),
    ],
)
def test_unknown_classes(root, classes, message):
    with pytest.raises(InputError, match=message):
        index(root, classes=classes)


def test_lists_of_classes():
    lists = class_lists.KINETICS_SOUNDS
    assert {k: len(x) for k, x in lists.items()} == {
        "arm31": 31,
        "adamml31": 31,
        "crisscross32": 32,
    }
    assert set(lists["arm31"]) ^ set(lists["adamml31"]) == {
        "finger snapping",
        "stomping grapes",
    }
    # Labels of OGM-GE that were joined with Kinetics' lists.
    assert lists["adamml31"][4] == "dribbling basketball"
    assert lists["adamml31"][18] == "playing trombone"
    assert [len(x) for x in class_lists.UCF.values()] == [51, 101]
    everything = class_lists.UCF["ucf101"]
    assert everything[34:36] == ("Hammering", "HammerThrow")
    assert everything[46:48] == ("JumpingJack", "JumpRope")
