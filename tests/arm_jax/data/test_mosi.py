import numpy as np
import pytest

from arm_jax import data
from arm_jax.data import mosi
from arm_jax.errors import InputError
from tests.arm_jax.data import sources


@pytest.fixture(scope="module")
def arrays():
    """Thirty videos of four utterances; the last twenty are test videos."""
    rng = np.random.default_rng(5)
    video = np.repeat(np.arange(30), 4)
    return {
        "text": rng.normal(size=(120, 100)).astype(np.float32),
        "audio": rng.normal(size=(120, 73)).astype(np.float32),
        "video": rng.normal(size=(120, 100)).astype(np.float32),
        "label": np.tile([0, 1], 60).astype(np.uint8),
        "video_id": video.astype(np.uint8),
        "segment": np.tile(np.arange(1, 5), 30).astype(np.int16),
        "split": np.where(video < 10, 0, 2).astype(np.uint8),
        "test_fold": np.where(video < 10, -1, video % 7 % 5).astype(np.int8),
    }


@pytest.fixture(scope="module")
def load(arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosi")
    np.savez(folder / "mosi.npz", **arrays)

    def load(**options):
        given = {"path": str(folder / "mosi.npz"), "data_dir": str(folder)}
        return data.load("mosi", given | options)

    return load


def ids(dataset):
    return {k: set(split.id.tolist()) for k, split in dataset.splits.items()}


@pytest.mark.parametrize("fold", range(mosi.FOLDS))
def test_folds(load, arrays, fold):
    found = ids(load(fold=fold))
    folds = arrays["test_fold"]
    assert found["test"] == set(np.flatnonzero(folds == fold))
    assert found["validation"] == set(np.flatnonzero(folds == (fold + 1) % 5))
    everything = set.union(*found.values())
    assert everything == set(np.flatnonzero(arrays["split"] == 2))
    assert sum(map(len, found.values())) == len(everything)


def test_the_leaky_split_has_to_be_named(load, arrays):
    leaky = set(np.flatnonzero(arrays["split"] == 0))
    assert not set.union(*ids(load()).values()) & leaky
    found = ids(load(protocol="source_leaky", fold=2))
    assert found["train"] | found["validation"] == leaky
    assert found["test"] == set(np.flatnonzero(arrays["split"] == 2))


@pytest.mark.parametrize("protocol", mosi.PROTOCOLS)
def test_videos_are_on_one_side(load, protocol):
    dataset = load(protocol=protocol)
    videos = [set(s.groups["video_id"]) for s in dataset.splits.values()]
    assert sum(map(len, videos)) == len(set.union(*videos))


def test_rows_are_those_of_the_file(load, arrays):
    dataset = load()
    train = arrays["text"][dataset.splits["train"].id]
    for split in dataset.splits.values():
        np.testing.assert_allclose(
            split.inputs["text"],
            (arrays["text"][split.id] - train.mean(0)) / train.std(0),
            atol=1e-5,
        )
        for key, x in {**split.groups, "label": split.label}.items():
            np.testing.assert_array_equal(x, arrays[key][split.id])
    assert dataset.class_names == ("negative", "positive")


@pytest.mark.parametrize("fold", [-1, 5])
def test_unknown_fold(load, fold):
    with pytest.raises(InputError, match=f"fold must be 0 to 4, got {fold}"):
        load(fold=fold)


def test_unknown_protocol(load):
    with pytest.raises(InputError, match="known: test_folds, source_leaky"):
        load(protocol="source")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: {"video": a["video"][:-1]},
            r"'video' has shape \(119, 100\), expected \(120, 100\)",
        ),
        (
            lambda a: {"text": a["text"][:, 1:]},
            r"'text' has shape \(120, 99\)",
        ),
        (lambda a: {"label": a["label"] + 1}, r"label\[1\] is 2, outside 0..1"),
        (
            lambda a: {"label": a["label"].astype(float)},
            "mosi: label must be integers",
        ),
        (
            lambda a: {"video_id": a["video_id"].astype(np.int64) - 2**40},
            r"video_id\[0\] is -1099511\d+, outside",
        ),
        (
            lambda a: {"text": a["text"].astype(float) + 1e9},
            "mosi: text: channel 0, .* loses its values in float32",
        ),
        (lambda a: {"text": a["text"] * np.nan}, r"mosi: text\[0, 0\] is nan"),
        (
            lambda a: {"test_fold": a["test_fold"] + 1},
            r"test_fold\[\d+\] is 5, outside -1\.\.4",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_named(
    arrays, load, tmp_path, change, message
):
    np.savez(tmp_path / "mosi.npz", **arrays | change(arrays))
    with pytest.raises(InputError, match=message):
        load(path=str(tmp_path / "mosi.npz"))


def test_the_real_file(tmp_path):
    options = {"path": sources.shared("mosi"), "data_dir": str(tmp_path)}
    dataset = data.load("mosi", options)
    sizes = [len(split) for split in dataset.splits.values()]
    assert sum(sizes) == 752
    assert dataset.shapes == {"text": (100,), "audio": (73,), "video": (100,)}
    positive = sum(split.label.sum() for split in dataset.splits.values())
    assert positive == 467
