import functools
import shutil

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import data, loop
from arm_jax.data import pipeline
from arm_jax.data.clips.stored import Stored
from arm_jax.data.dataset import with_workers
from arm_jax.data.preparation import fbank
from arm_jax.errors import InputError
from configs import kinetics_sounds as configs
from experiments import cli
from tests.arm_jax.data import media_clips
from tests.arm_jax.data.clips import clip_trees

for package in ("av", "PIL.Image", "array_record"):
    pytest.importorskip(package, reason="needs the extra 'media'")
HOW = {"processes": 1, "progress": False}
SMALL = {
    "stored_frames": 5,
    "short_side": 48,
    "frames": 2,
    "size": 32,
    "validation": 0.34,
}


def options_of(root, **options):
    return {
        "path": str(root),
        "data_dir": str(root.parent / "data"),
        **SMALL,
        **options,
    }


def prepare(name, options):
    return data.prepare(name, data.index(name, options), options, **HOW)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return clip_trees.kinetics_sounds(tmp_path_factory.mktemp("ks") / "k400")


@pytest.fixture(scope="module")
def options(original):
    options = options_of(original, classes=clip_trees.KS_CLASSES)
    prepare("kinetics_sounds", options)
    return options


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "k400")


def test_splits_and_shapes(options):
    dataset = data.load("kinetics_sounds", options)
    assert dataset.class_names == clip_trees.KS_CLASSES
    assert dataset.specs == {
        "audio": jax.ShapeDtypeStruct((1024, 128, 1), np.float32),
        "video": jax.ShapeDtypeStruct((2, 32, 32, 3), np.uint8),
    }
    counts = {"train": 4, "validation": 2, "test": 2}
    for name, count in counts.items():
        split = dataset.splits[name]
        np.testing.assert_array_equal(np.bincount(split.label), [count] * 2)
        assert set(split.groups) == {"youtube_id"}
        assert len(np.unique(split.groups["youtube_id"])) == 2 * count
    ids = [split.id for split in dataset.splits.values()]
    assert sorted(np.concatenate(ids)) == list(range(16))


def test_sound_and_pictures_are_those_of_the_label(options):
    mel = 1127 * np.log1p(np.array([20.0, 8000.0, *clip_trees.TONES]) / 700)
    bins = (mel[2:] - mel[0]) / (mel[1] - mel[0]) * 129 - 1
    for split in data.load("kinetics_sounds", options).splits.values():
        batch = split.take(np.arange(len(split)))
        audio = batch["inputs"]["audio"][..., 0] * fbank.SCALE + fbank.MEAN
        # A second, and zeros, as the field pads.
        assert np.abs(audio[:, 98:]).max() < 1e-5
        peaks = audio[:, 20:80].mean(axis=1).argmax(axis=1)
        np.testing.assert_allclose(peaks, bins[batch["label"]], atol=1.5)
    # The middles of parts of 0.1, 0.3 and of 0.5, 0.7, 0.9 seconds.
    video = batch["inputs"]["video"].mean(axis=(2, 3, 4))
    expected = [media_clips.grey(time) for time in (0.3, 0.7)]
    np.testing.assert_allclose(video, np.tile(expected, (4, 1)), atol=4)


def test_workers_change_no_draw(options):
    def batches(threads, epoch, seed=0):
        dataset = data.load("kinetics_sounds", options)
        split = with_workers(dataset, threads, 0).splits["train"]
        made = pipeline.epoch_batches(split, 4, seed=seed, epoch=epoch)
        return list(pipeline.stream(split, made))

    one = batches(1, 0)
    jax.tree.map(np.testing.assert_array_equal, one, batches(3, 0))
    for other in (batches(1, 1), batches(1, 0, seed=1)):
        assert any(
            (x["inputs"]["video"] != y["inputs"]["video"]).any()
            for x, y in zip(one, other, strict=True)
        )


def test_draws_of_splits(options):
    def ids(**changes):
        dataset = data.load("kinetics_sounds", options | changes)
        return {k: set(x.id.tolist()) for k, x in dataset.splits.items()}

    official = ids()
    assert ids(seed=1)["test"] == official["test"]
    # One of eight clips is about a fifth, per class.
    drawn = ids(split="random", validation=0.2)
    assert len(drawn["test"]) == 4
    assert drawn["test"] != official["test"]
    assert len(ids(split="leaking_random_by_clip")["test"]) == 4


def test_one_modality_of_two(options):
    dataset = data.load("kinetics_sounds", options | {"modalities": "video"})
    assert dataset.modalities == ("video",)


def test_damage_is_skipped_with_its_reason(root):
    train = root / "train"
    files = sorted(train.glob("*.mp4"))
    files[0].write_bytes(b"")
    files[1].write_bytes(b"<html>gone</html>")
    files[2].write_text("version https://git-lfs.github.com/spec/v1\noid x")
    files[3].write_bytes(media_clips.clip(".mp4", None))
    files[4].write_bytes(media_clips.clip(".mp4", 500.0, loudness=0.0))
    files[6].write_bytes(files[6].read_bytes()[:900])
    files[7].write_bytes(media_clips.wav())
    next((root / "val").glob("*.mp4")).unlink()
    options = options_of(root, classes=clip_trees.KS_CLASSES)
    with pytest.raises(InputError, match="8 of 16 files cannot be used so far"):
        prepare("kinetics_sounds", options)
    # What is prepared is kept, and the limit is no part of it.
    prepared = prepare("kinetics_sounds", options | {"max_skipped": 0.5})
    rows = (prepared.folder / "skipped.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == [
        "empty", "html_page", "git_lfs_pointer", "no_audio", "silent",
        "unreadable", "no_video", "missing",
    ]  # fmt: skip
    assert len(prepared.rows) == 8
    # Mended, they are taken in.
    for at in (0, 1):
        shutil.copy(files[5], files[at])
    prepared = prepare("kinetics_sounds", options | {"max_skipped": 0.5})
    assert len(prepared.rows) == 10


def test_odd_files_do_not_end_a_preparation(root):
    files = sorted((root / "train").glob("*.mp4"))
    odd = (
        media_clips.titled(),
        media_clips.of_unknown_codec("video"),
        media_clips.of_unknown_codec("audio"),
        media_clips.of_two_rates(),
    )
    for file, content in zip(files, odd, strict=False):
        file.write_bytes(content)
    options = options_of(root, classes=clip_trees.KS_CLASSES, max_skipped=0.2)
    prepared = prepare("kinetics_sounds", options)
    rows = (prepared.folder / "skipped.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["unreadable", "no_audio"]
    assert len(prepared.rows) == 14


def test_videos_without_sound_are_trained_on_alone(root):
    for file in (root / "train").glob("*.mp4"):
        file.write_bytes(media_clips.clip(".mp4", None))
    options = options_of(root, classes=clip_trees.KS_CLASSES)
    with pytest.raises(InputError, match=r"do without it: joint,video behind"):
        prepare("kinetics_sounds", options)
    config = configs.get_config("joint,video")
    config.data.options.update(options | {"data_dir": f"{root}_video"})
    config.data.batch_size = config.train.eval_batch_size = 4
    config = cli.to_dict(config)
    prepare("kinetics_sounds", config["data"]["options"])
    run = loop.prepare(config_lib.from_mapping(config_lib.Config, config))
    assert run.model.modalities == ("video",)


def test_silence_in_place_of_missing_sound(root):
    for file in (root / "train").glob("*.mp4"):
        file.write_bytes(media_clips.clip(".mp4", None))
    options = options_of(root, classes=clip_trees.KS_CLASSES)
    with pytest.raises(InputError, match="12 no_audio.*; get others: these co"):
        prepare("kinetics_sounds", options)
    options["data_dir"] += "_zeros"
    prepare("kinetics_sounds", options | {"missing_audio": "zeros"})
    with pytest.raises(InputError, match="with missing_audio"):
        data.load("kinetics_sounds", options)
    dataset = data.load("kinetics_sounds", options | {"missing_audio": "zeros"})
    audio = dataset.splits["train"].take(np.arange(1))["inputs"]["audio"]
    floor = (np.log(2.0**-23) - fbank.MEAN) / fbank.SCALE
    # For the second that the clip lasts; then it is padded.
    np.testing.assert_allclose(audio[0, :98], floor, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"short_side": 47}, "was prepared with short_side 48, not 47"),
        ({"stored_frames": 6}, "was prepared with stored_frames 5, not 6"),
        ({"seconds": 5.0}, "was prepared with seconds 10.0, not 5.0"),
        ({"audio": "spectrogram"}, "was prepared with audio"),
        ({"classes": ("singing", "bowling")}, "was prepared with classes"),
        ({"split": "ogm"}, "was prepared with lists"),
        ({"split": "by hand"}, "split must be one of official, ogm, random"),
        ({"modalities": ("flow",)}, "modalities must be one of audio, video"),
        ({"modalities": ()}, "modalities must name each once, got none"),
        ({"audio": "mfcc"}, "audio must be one of fbank, spectrogram"),
        ({"missing_audio": "?"}, "missing_audio must be one of drop, zeros"),
        ({"size": 49}, r"size must be in 1..48 \(short_side\), got 49"),
        ({"frames": 6}, r"frames must be in 1..5 \(stored_frames\), got 6"),
        ({"rows": 1025}, r"rows must be in 1..1024 \(10 ms each\), got 1025"),
        ({"crop": 0.0}, "crop must be above 0 and at most 1, got 0.0"),
        ({"stored_frames": 0}, "stored_frames must be positive, got 0"),
        ({"validation": 1.0}, "validation must be above 0 and below 1"),
        ({"data_dir": "/nowhere"}, "is not prepared, or not to the end; run"),
    ],
)
def test_options_that_do_not_fit(options, changes, message):
    with pytest.raises(InputError, match=message):
        data.load("kinetics_sounds", options | changes)


def test_a_preparation_goes_on_with_the_same_options_only(root):
    options = options_of(root, classes=clip_trees.KS_CLASSES)
    prepare("kinetics_sounds", options)
    with pytest.raises(InputError, match="was prepared with seconds 10.0"):
        prepare("kinetics_sounds", options | {"seconds": 3.0})
    next((root / "train").iterdir()).unlink()
    with pytest.raises(InputError, match="has changed since its record was"):
        prepare("kinetics_sounds", options)


@pytest.fixture(scope="module")
def ucf(tmp_path_factory):
    root = clip_trees.ucf(tmp_path_factory.mktemp("ucf") / "ucf")
    options = options_of(
        root,
        classes=clip_trees.UCF_CLASSES,
        modalities=("audio", "flow", "video"),
        flow="tvl1",
    )
    prepare("ucf", options)
    return options


def test_three_modalities_of_ucf(ucf):
    dataset = data.load("ucf", ucf)
    assert dataset.modalities == ("audio", "flow", "video")
    assert dataset.shapes["flow"] == (2, 32, 32, 2)
    counts = {k: len(x) for k, x in dataset.splits.items()}
    # Whole groups: one of three for validation.
    assert counts == {"train": 8, "validation": 4, "test": 4}
    flow = dataset.splits["test"].take(np.arange(4))["inputs"]["flow"]
    # Grey frames of the same value everywhere: no motion can be seen.
    np.testing.assert_allclose(flow, 128, atol=2)
    two = data.load("ucf", ucf | {"modalities": ("flow", "video")})
    assert two.modalities == ("flow", "video")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fold": 4}, "fold must be in 1..3, got 4"),
        ({"fold": 2}, "without training clips of the split 'official'"),
        ({"fold": 2, "split": "random"}, "fold is 2, of the official split"),
        ({"flow": "dis"}, "flow must be one of archive, tvl1"),
        ({"flow": "archive"}, "was prepared with flow"),
        ({"data_dir": "/nowhere"}, "configs/ucf51.py"),
    ],
)
def test_options_of_ucf(ucf, changes, message):
    with pytest.raises(InputError, match=message):
        data.load("ucf", ucf | changes)


def test_a_place_of_flow_that_is_computed(ucf):
    with pytest.raises(InputError, match="flow_path is '/flow', but no flow"):
        data.index("ucf", ucf | {"flow_path": "/flow"})


def test_a_modality_that_was_not_prepared(tmp_path):
    root = clip_trees.ucf(tmp_path / "ucf")
    options = options_of(root, classes=clip_trees.UCF_CLASSES)
    options["modalities"] = ("video",)
    prepare("ucf", options)
    with pytest.raises(InputError, match="was prepared without audio; prepare"):
        data.load("ucf", options | {"modalities": ("audio", "video")})
    # Flow is read, or computed, in the preparation only.
    with pytest.raises(InputError, match="no flow in .*: tried UCF"):
        data.index("ucf", options | {"modalities": ("flow",)})


def test_actors_of_cremad(tmp_path):
    root = clip_trees.cremad(tmp_path / "CREMA-D")
    options = options_of(root, split="random", audio="spectrogram")
    prepared = prepare("cremad", options)
    assert len(prepared.rows) == 36
    dataset = data.load("cremad", options)
    assert dataset.shapes["audio"] == (257, 188, 1)
    actors = [
        set(split.groups["actor"].tolist()) for split in dataset.splits.values()
    ]
    assert sum(map(len, actors)) == len(set.union(*actors)) == 6
    with pytest.raises(InputError, match="without training clips of the split"):
        data.load("cremad", options | {"split": "ogm"})


@pytest.mark.parametrize("key", ["short_side", "seconds", "frames"])
def test_nothing_cannot_be_stored(key):
    with pytest.raises(InputError, match="must be positive, got 0"):
        Stored("name", ("video",), **{key: 0})


def test_training_resumes_to_the_bit(options, tmp_path):
    mapping = {
        "data": {
            "name": "kinetics_sounds",
            "options": options | {"size": 8},
            "batch_size": 4,
        },
        "model": {"hidden": (4,), "features": 4},
        "method": {"name": "uniform"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "train": {"epochs": 2, "log_every": 1, "eval_batch_size": 4},
    }
    run = loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))
    train = functools.partial(loop.train, run, progress=False)
    whole = train(tmp_path / "whole")
    # In the middle of the second epoch of two steps.
    train(tmp_path / "parts", stop_after=3)
    parts = train(tmp_path / "parts")
    jax.tree.map(
        np.testing.assert_array_equal,
        jax.tree.leaves(whole),
        jax.tree.leaves(parts),
    )
