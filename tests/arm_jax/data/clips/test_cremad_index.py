"""Trees of names alone: the index reads no video."""

import shutil

import pytest

from arm_jax.data.clips import cremad_index
from arm_jax.errors import InputError

EMOTIONS = ("NEU", "HAP", "SAD", "FEA", "DIS", "ANG")
CLIPS = [
    f"{actor}_DFA_{emotion}_{'XX' if emotion == 'NEU' else 'HI'}"
    for actor in (1001, 1042, 1091)
    for emotion in EMOTIONS
]


def write(root):
    for folder, suffix in (("VideoFlash", "flv"), ("AudioWAV", "wav")):
        (root / folder).mkdir(parents=True)
        for clip in CLIPS:
            (root / folder / f"{clip}.{suffix}").write_bytes(b"x" * 300)
    # Theirs, of something else.
    (root / "finishedResponses.csv").write_text("a,b\n")
    return root


def write_lists(folder, header=""):
    folder.mkdir(exist_ok=True)
    for split, clips in (("train", CLIPS[:15]), ("test", CLIPS[15:])):
        lines = [f"{clip},{clip.split('_')[2]}" for clip in clips]
        (folder / f"{split}.csv").write_text(header + "\n".join(lines) + "\n")
    return folder


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "CREMA-D")


def index(root, lists="", needs_lists=False):
    return cremad_index.index(str(root), str(lists), needs_lists=needs_lists)


def test_what_is_there(root):
    found = index(root)
    assert [x.key for x in found.items] == sorted(CLIPS)
    assert not any(x.fault or x.split for x in found.items)
    item = found.items[0]
    assert (item.key, item.label, item.group) == ("1001_DFA_ANG_HI", 5, "1001")
    assert item.source.video == str(root / "VideoFlash/1001_DFA_ANG_HI.flv")
    assert item.source.sound == str(root / "AudioWAV/1001_DFA_ANG_HI.wav")
    assert item.stamp == "300 and 300 bytes"
    assert found.class_names[:2] == ("neutral", "happy")
    assert found.summary == (
        f"CREMA-D: 18 videos, 18 recordings in {root}; no lists",
        "18 of 7442 clips",
    )


@pytest.mark.parametrize("header", ["", "name,label\n"])
def test_lists_of_ogm(root, header):
    with pytest.raises(
        InputError, match="18 videos in .*, but not both of OGM"
    ):
        index(root, needs_lists=True)
    folder = write_lists(root.parent / "CREMAD", header)
    found = index(root, folder, needs_lists=True)
    words = {x.key: x.split for x in found.items}
    assert words == dict.fromkeys(CLIPS[:15], "train") | dict.fromkeys(
        CLIPS[15:], "test"
    )
    for clip in CLIPS[15:]:
        (root / "VideoFlash" / f"{clip}.flv").unlink()
    with pytest.raises(InputError, match="no clip for testing has a video"):
        index(root, folder, needs_lists=True)
    (folder / "test.csv").unlink()
    with pytest.raises(InputError, match="but not both of OGM-GE's train.csv"):
        index(root, folder, needs_lists=True)


def test_a_file_that_is_none_of_the_lists(root, tmp_path):
    file = tmp_path / "some.csv"
    file.write_text("1001_DFA_NEU_XX,NEU\n")
    assert "; no lists" in index(root, file).summary[0]


def other_emotion(folder):
    (folder / "test.csv").write_text("1091_DFA_ANG_HI,SAD\n")


def no_clip(folder):
    (folder / "test.csv").write_text("id,1091_DFA_ANG_HI\n")


def both(folder):
    shutil.copy(folder / "train.csv", folder / "test.csv")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            other_emotion,
            "test.csv, line 1: '1091_DFA_ANG_HI,SAD' is not a clip",
        ),
        (no_clip, "test.csv, line 1: 'id,1091_DFA_ANG_HI' is not a clip"),
        (both, "train.csv, line 1: 1001_DFA_NEU_XX is in both lists"),
    ],
)
def test_damaged_lists(root, damage, message):
    folder = write_lists(root.parent / "CREMAD")
    damage(folder)
    with pytest.raises(InputError, match=message):
        index(root, folder)


def test_recordings_of_two_kinds(root):
    (root / "AudioMP3").mkdir()
    for clip in CLIPS:
        (root / "AudioMP3" / f"{clip}.mp3").write_bytes(b"x")
    assert index(root).items[0].source.sound.endswith(".wav")
    # An empty one is none.
    (root / "AudioWAV" / "1001_DFA_ANG_HI.wav").write_bytes(b"")
    assert index(root).items[0].source.sound.endswith(".mp3")
    shutil.rmtree(root / "AudioWAV")
    assert index(root).items[-1].source.sound.endswith(".mp3")
    shutil.rmtree(root / "AudioMP3")
    found = index(root)
    assert found.items[-1].source.sound == ""
    assert found.summary[-1].startswith("18 clips have no recording of their")


def test_what_is_known_to_be_wrong(root):
    (root / "VideoFlash" / "1064_IEO_DIS_MD.flv").write_bytes(b"x" * 300)
    folder = write_lists(root.parent / "CREMAD")
    (folder / "test.csv").write_text("1006_TIE_NEU_XX,NEU\n")
    faults = {x.key: x.fault for x in index(root, folder).items if x.fault}
    assert faults == {
        "1064_IEO_DIS_MD": "several_emotions",
        "1006_TIE_NEU_XX": "missing",
    }


def test_pointers_are_noticed(root):
    for file in (root / "VideoFlash").iterdir():
        file.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert (
        "18 videos have less than 200 bytes: git-lfs" in index(root).summary[-1]
    )


def no_videos(root):
    shutil.rmtree(root / "VideoFlash")


def another_set(root):
    no_videos(root)
    (root / "aaaaaaaaaaa_000001_000011.mp4").touch()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            no_videos,
            "no videos of CREMA-D in .*; there are 18 recordings: tried",
        ),
        (another_set, "aaaaaaaaaaa_000001_000011.mp4 looks like Kinetics"),
        (shutil.rmtree, "CREMA-D does not exist; 'path' is the folder with"),
    ],
)
def test_folders_of_something_else(root, damage, message):
    damage(root)
    with pytest.raises(InputError, match=message):
        index(root)
