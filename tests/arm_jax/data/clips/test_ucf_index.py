"""Trees of names alone: the index reads no video."""

import shutil

import pytest

from arm_jax.data.clips import ucf_index
from arm_jax.errors import InputError

CLASSES = ("Archery", "HandstandPushups")
CLIPS = [
    f"v_{name}_g{group:02d}_c{clip:02d}"
    for name in ("Archery", "HandStandPushups")
    for group in (1, 8, 15, 22)
    for clip in (1, 2)
]
# Of the splits 1 to 3: the groups that they test on.
TESTED = (1, 8, 15)


def class_of(clip):
    return clip.split("_")[1].replace("HandStand", "Handstand")


def group_of(clip):
    return int(clip.split("_g")[1][:2])


def word(clip, tested):
    return "test" if group_of(clip) == tested else "train"


def write(root):
    for clip in CLIPS:
        folder = root / "UCF-101" / class_of(clip)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{clip}.avi").write_bytes(b"x" * 7)
    (root / "ucfTrainTestlist").mkdir()
    for fold, tested in enumerate(TESTED, start=1):
        for split, mark in (("train", " 1"), ("test", "")):
            lines = [
                f"{class_of(clip)}/{clip}.avi{mark}\r"
                for clip in CLIPS
                if word(clip, tested) == split
            ]
            file = root / "ucfTrainTestlist" / f"{split}list0{fold}.txt"
            file.write_text("\n".join(lines) + "\n")
    for component in ("u", "v"):
        for clip in CLIPS:
            # Folders of flow are spelled another way.
            name = clip.replace("HandStand", "Handstand")
            (root / "tvl1_flow" / component / name).mkdir(parents=True)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "ucf")


def index(root, classes=CLASSES, lists="", flow="", **needs):
    needs = {"needs_lists": True, "needs_flow": False} | needs
    return ucf_index.index(str(root), str(lists), str(flow), classes, **needs)


def rows(found):
    return [(x.key, x.split, x.label, x.group, x.fault) for x in found.items]


EXPECTED = sorted(
    (
        clip.lower(),
        " ".join(word(clip, tested) for tested in TESTED),
        CLASSES.index(class_of(clip)),
        f"{class_of(clip).lower()}_g{group_of(clip):02d}",
        "",
    )
    for clip in CLIPS
)


def test_what_is_there(root):
    found = index(root)
    assert rows(found) == EXPECTED
    assert found.class_names == CLASSES
    assert found.items[0].source.video.endswith("Archery/v_Archery_g01_c01.avi")
    assert found.items[0].source.flow == ()
    assert found.summary[1] == "16 clips of 2 classes"


def test_copies_of_nothing_come_last(root):
    (root / "A").mkdir()
    (root / "A" / "v_Archery_g01_c01.avi").touch()
    video = index(root).items[0].source.video
    assert video.endswith("UCF-101/Archery/v_Archery_g01_c01.avi")


def test_flow(root):
    found = index(root, needs_flow=True)
    assert rows(found) == EXPECTED
    u, v = found.items[-1].source.flow
    assert u.endswith("tvl1_flow/u/v_HandstandPushups_g22_c02")
    assert v.endswith("tvl1_flow/v/v_HandstandPushups_g22_c02")
    (root / "tvl1_flow" / "v" / "v_Archery_g08_c01").rmdir()
    found = index(root, needs_flow=True)
    faults = {x.key: x.fault for x in found.items if x.fault}
    assert faults == {"v_archery_g08_c01": "no_flow"}
    assert found.summary[1] == "15 clips of 2 classes, 1 no_flow"


def test_flow_elsewhere(root):
    (root / "tvl1_flow").rename(root.parent / "flow")
    with pytest.raises(InputError, match="no flow in .*flow=tvl1"):
        index(root, needs_flow=True)
    for path in (root.parent / "flow", root.parent):
        assert rows(index(root, flow=path, needs_flow=True)) == EXPECTED
    with pytest.raises(InputError, match="nowhere does not exist; 'flow_path'"):
        index(root, flow=root / "nowhere", needs_flow=True)


def parts_of_an_archive(root):
    shutil.rmtree(root / "tvl1_flow")
    (root / "ucf101_tvl1_flow.zip.001").touch()


def test_an_archive_that_is_not_unpacked(root):
    parts_of_an_archive(root)
    with pytest.raises(InputError, match="; unpack ucf101_tvl1_flow.zip.001"):
        index(root, needs_flow=True)


def flat(root):
    for file in root.glob("UCF-101/*/*.avi"):
        file.rename(root / file.name)
    return root


def mp4(root):
    for file in root.glob("UCF-101/*/*.avi"):
        file.rename(file.with_suffix(".mp4"))
    return root


def one_spelling(root):
    for file in root.glob("UCF-101/*/*HandStand*"):
        file.rename(file.with_name(file.name.replace("HandStand", "Handstand")))
    return root


@pytest.mark.parametrize("move", [flat, mp4, one_spelling])
def test_layouts(root, move):
    assert rows(index(move(root))) == EXPECTED


def test_lists(root):
    (root / "ucfTrainTestlist").rename(root.parent / "lists")
    with pytest.raises(
        InputError, match="16 videos in .*, but no official lis"
    ):
        index(root)
    assert rows(index(root, lists=root.parent / "lists")) == EXPECTED
    # A draw needs none.
    found = index(root, needs_lists=False)
    assert {x.split for x in found.items} == {"- - -"}
    assert "; no lists" in found.summary[0]
    # Those of one split are enough.
    for fold in (2, 3):
        for split in ("train", "test"):
            (root.parent / "lists" / f"{split}list0{fold}.txt").unlink()
    found = index(root, lists=root.parent / "lists")
    assert {x.split for x in found.items} == {"train - -", "test - -"}


def test_what_is_missing_is_said(root):
    next(root.glob("UCF-101/*/v_Archery_g08_c02.avi")).unlink()
    found = index(root, ("Archery", "Bowling"))
    assert [x.key for x in found.items if x.fault] == ["v_archery_g08_c02"]
    assert found.summary[1:] == (
        "7 clips of 2 classes, 1 missing",
        "no clip of 1 classes: Bowling, ...",
    )


def no_videos(root):
    for file in root.glob("UCF-101/*/*"):
        file.unlink()


def another_set(root):
    no_videos(root)
    (root / "1001_DFA_ANG_XX.flv").touch()


def packed(root):
    no_videos(root)
    (root / "UCF101.rar").touch()


def other_lines(root):
    file = root / "ucfTrainTestlist" / "testlist01.txt"
    file.write_text("1 ApplyEyeMakeup\n")


def tests_of_none(root):
    for file in root.glob("ucfTrainTestlist/testlist*"):
        file.unlink()


def both_sides(root):
    file = root / "ucfTrainTestlist" / "testlist02.txt"
    file.write_text("Archery/v_Archery_g01_c01.avi\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_videos, "no videos of UCF-101 in .*: tried UCF-101/CLASS"),
        (another_set, "1001_DFA_ANG_XX.flv looks like CREMA-D"),
        (packed, "; unpack UCF101.rar first"),
        (other_lines, "testlist01.txt, line 1: '1 ApplyEyeMakeup' is not"),
        (tests_of_none, r"no clip for testing .*list02.txt, trainlist03.txt\)"),
        (both_sides, "v_archery_g01_c01 is for training and for testing in s"),
        (shutil.rmtree, "ucf does not exist; 'path' is the folder with"),
    ],
)
def test_folders_of_something_else(root, damage, message):
    damage(root)
    with pytest.raises(InputError, match=message):
        index(root)
