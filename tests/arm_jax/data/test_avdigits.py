import shutil

import numpy as np
import pytest

from arm_jax import data
from arm_jax.data import avdigits, avdigits_sources, packed
from arm_jax.data.logmel import log_mel
from arm_jax.errors import InputError
from tests.arm_jax.data import sources

PAIRS = dict(
    zip(
        ("train", "validation", "test"),
        (10 * n for n in sources.IMAGES_PER_CLASS),
        strict=True,
    )
)


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            avdigits_sources, "IMAGES_PER_CLASS", sources.IMAGES_PER_CLASS
        )
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    sources.write_digits(folder)
    return folder


@pytest.fixture(scope="module")
def arrays(folder):
    return avdigits_sources.build(folder)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="module")
def packed_file(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "avdigits.npz"
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture(scope="module")
def load(packed_file, data_dir):
    def load(**options):
        given = {"path": packed_file, "data_dir": data_dir}
        return data.load("avdigits", given | options)

    return load


@pytest.fixture(scope="module")
def dataset(load):
    return load()


@pytest.mark.parametrize("protocol", avdigits.PROTOCOLS)
def test_pairs_are_those_of_the_file(load, arrays, protocol):
    dataset = load(protocol=protocol)
    assert dataset.name == f"avdigits_{protocol}"
    for name, part in zip(PAIRS, ("train", "val", "test"), strict=True):
        split = dataset.splits[name]
        pairs = arrays[f"pairs_{protocol}_{part}"]
        pairs = pairs[pairs[:, 0].argsort()]
        np.testing.assert_array_equal(split.id, pairs[:, 0])
        np.testing.assert_array_equal(split.groups["recording"], pairs[:, 1])
        for side, column in (("image", 0), ("audio", 1)):
            np.testing.assert_array_equal(
                split.label, arrays[f"{side}_label"][pairs[:, column]]
            )
        np.testing.assert_array_equal(
            split.groups["speaker"], arrays["audio_speaker"][pairs[:, 1]]
        )


def test_speakers_are_on_one_side(dataset):
    seen = {
        name: {sources.SPEAKERS[k] for k in split.groups["speaker"]}
        for name, split in dataset.splits.items()
    }
    assert seen == {
        "train": {"george", "zoe"},
        "validation": {"theo"},
        "test": {"lucas"},
    }


def test_takes_of_the_official_protocol(load, arrays):
    for name, takes in (
        ("train", {10, 11}),
        ("validation", {5}),
        ("test", {0}),
    ):
        groups = load(protocol="official").splits[name].groups
        assert set(arrays["audio_take"][groups["recording"]]) == takes
        assert len(set(groups["speaker"])) == len(sources.SPEAKERS)


def test_pixels_share_one_scale(dataset, arrays):
    raw = arrays["image"][dataset.splits["train"].id].astype(float)
    for split in dataset.splits.values():
        image = split.inputs["image"]
        assert image.shape[1:] == (28, 28, 1)
        np.testing.assert_allclose(
            image[..., 0] * raw.std() + raw.mean(),
            arrays["image"][split.id],
            atol=1e-3,
        )


@pytest.mark.parametrize(
    ("normalize", "mean"),
    [
        ("bands", lambda x: x.mean(0)),
        ("loudness", lambda x: x.mean()),
        ("none", lambda x: 0),
    ],
)
def test_spectrograms_are_those_of_the_recordings(
    load, arrays, normalize, mean
):
    def centred(split, at):
        recording = split.groups["recording"][at]
        start = arrays["audio_start"][recording]
        stop = start + arrays["audio_len"][recording]
        x = log_mel(arrays["audio_pcm"][start:stop])
        return x - mean(x)

    splits = load(normalize=normalize).splits
    train, test = splits["train"], splits["test"]
    features = np.stack([centred(train, i) for i in range(len(train))])
    np.testing.assert_allclose(
        test.inputs["audio"][7],
        (centred(test, 7) - features.mean((0, 1))) / features.std((0, 1)),
        atol=1e-4,
    )


def test_sources_give_what_their_packed_file_gives(load, folder, dataset):
    rebuilt = load(path="", source_dir=str(folder))
    for name, split in dataset.splits.items():
        other = rebuilt.splits[name]
        np.testing.assert_array_equal(other.id, split.id)
        np.testing.assert_array_equal(other.label, split.label)
        for modality, x in split.inputs.items():
            np.testing.assert_array_equal(other.inputs[modality], x)


def test_another_file_is_prepared_anew(load, arrays, dataset, tmp_path):
    np.savez(
        tmp_path / "avdigits.npz",
        **arrays | {"image": arrays["image"][:, ::-1]},
    )
    other = load(path=str(tmp_path / "avdigits.npz")).splits["test"]
    np.testing.assert_allclose(
        other.inputs["image"],
        dataset.splits["test"].inputs["image"][:, ::-1],
        atol=1e-5,
    )


@pytest.mark.parametrize("protocol", avdigits.PROTOCOLS)
@pytest.mark.parametrize("code", [0, 1, 2])
def test_rules_of_pairing(arrays, protocol, code):
    part = ("train", "val", "test")[code]
    image, recording = arrays[f"pairs_{protocol}_{part}"].T
    assert len(set(image)) == len(image)
    label = arrays["image_label"][image]
    assert set(np.bincount(label)) == {sources.IMAGES_PER_CLASS[code]}
    np.testing.assert_array_equal(label, arrays["audio_label"][recording])
    here = arrays[f"audio_split_{protocol}"] == code
    assert set(recording) <= set(np.flatnonzero(here))
    for digit in range(10):
        # Equally often, up to one.
        uses = np.bincount(recording[label == digit], minlength=len(here))
        uses = uses[here & (arrays["audio_label"] == digit)]
        assert uses.max() - uses.min() <= 1


def test_images_are_those_of_mnist(arrays, folder):
    read = avdigits_sources._idx(folder, "train-images-idx3-ubyte", 3)
    drawn = arrays["image_split"] < 2
    index = arrays["image_mnist_index"][drawn]
    assert len(set(index)) == len(index)
    np.testing.assert_array_equal(arrays["image"][drawn], read[index])


def test_the_draw_is_always_the_same(arrays, folder):
    again = avdigits_sources.build(folder)
    for key, x in arrays.items():
        np.testing.assert_array_equal(again[key], x)


def with_entry(x, index, value):
    x = np.array(x)
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda a, p: (999, 0), "outside 190 images and 160 recordings"),
        (lambda a, p: (-1, 0), "outside 190 images"),
        (
            lambda a, p: (p[4, 0], (p[4, 1] + 16) % 160),
            "not of one label",
        ),
        (
            # The same digit by lucas.
            lambda a, p: (p[4, 0], p[4, 1] // 16 * 16 + 4),
            "or not both of this part",
        ),
    ],
)
def test_wrong_pairs_are_named(load, arrays, tmp_path, entry, message):
    pairs = arrays["pairs_speaker_val"]
    broken = with_entry(pairs, 4, entry(arrays, pairs))
    path = tmp_path / "broken.npz"
    np.savez(path, **arrays | {"pairs_speaker_val": broken})
    with pytest.raises(InputError, match=rf"pairs_speaker_val\[4\].*{message}"):
        load(path=str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: {"image": a["image"] / 255},
            r"'image' is float64 .*, expected uint8 \(190, 28, 28\)",
        ),
        (lambda a: {"image": a["image"][0]}, "expected uint8"),
        (
            lambda a: {"audio_pcm": a["audio_pcm"] / 32768},
            "'audio_pcm' is float64 .*, expected int16",
        ),
        (
            lambda a: {"image_label": a["image_label"][:-1]},
            r"'image_label' is .*\(189,\), expected integers \(190,\)",
        ),
        (
            lambda a: {"audio_speaker": a["audio_speaker"].astype(str)},
            "'audio_speaker' is .*, expected integers",
        ),
        (
            lambda a: {"pairs_speaker_val": a["pairs_speaker_val"].T},
            "'pairs_speaker_val' is .*, expected integers",
        ),
        (
            lambda a: {"audio_pcm": a["audio_pcm"][:-1]},
            r"recording 159, \d+ samples from \d+ on, is outside the \d+ of",
        ),
        (
            lambda a: {"audio_len": 0 * a["audio_len"]},
            "recording 0, 0 samples from 0 on",
        ),
    ],
)
def test_other_arrays_are_named(load, arrays, tmp_path, change, message):
    np.savez(tmp_path / "other.npz", **arrays | change(arrays))
    with pytest.raises(InputError, match=message):
        load(path=str(tmp_path / "other.npz"))


def test_held_out_of_less_than_none(load):
    with pytest.raises(InputError, match="held_out -2 is no training speaker"):
        load(held_out=-2)


def test_unknown_options(load):
    with pytest.raises(InputError, match="unknown protocol 'speakers'"):
        load(protocol="speakers")
    with pytest.raises(InputError, match="unknown normalize 'loud'"):
        load(normalize="loud")


def test_missing_file_says_how_to_get_it(load, tmp_path, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"ARM_JAX_DATA.*source_dir.*MNIST"):
        load(path="")


def test_two_sources(load, folder):
    with pytest.raises(InputError, match="path or source_dir, not both"):
        load(source_dir=str(folder))


def test_source_that_is_no_folder(load):
    with pytest.raises(InputError, match="nowhere is no folder"):
        load(path="", source_dir="nowhere")


@pytest.fixture
def broken(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


RECORDINGS = "fsdd/recordings"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: shutil.rmtree(d / "fsdd"), r"no \.wav files"),
        (
            lambda d: (d / RECORDINGS / "x.wav").write_bytes(b""),
            "expected a name as 7_jackson_32.wav",
        ),
        (
            lambda d: sources.write_wav(d / "7_zoe_0.wav", np.zeros(9)),
            "is there twice",
        ),
        (
            lambda d: sources.write_wav(
                d / RECORDINGS / "7_zoe_0.wav", np.zeros(9), rate=16000
            ),
            "7_zoe_0.wav: expected 16-bit mono at 8000 Hz, .* at 16000 Hz",
        ),
        (
            lambda d: (d / RECORDINGS / "7_zoe_0.wav").write_bytes(b"RIFX"),
            "cannot read .*7_zoe_0.wav",
        ),
        (
            lambda d: (d / RECORDINGS / "7_lucas_0.wav").unlink(),
            "no recording of digit 7 for one of the parts",
        ),
        (
            lambda d: (d / "t10k-labels-idx1-ubyte.gz").unlink(),
            "no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz",
        ),
        (
            lambda d: (d / "t10k-labels-idx1-ubyte.gz").write_bytes(b"12"),
            "cannot read .*t10k-labels",
        ),
        (
            lambda d: (d / "train-labels-idx1-ubyte").write_bytes(b"1"),
            "is not an idx file of 1 dimensions",
        ),
        (
            lambda d: (d / "train-labels-idx1-ubyte").write_bytes(b""),
            "is not an idx file of 1 dimensions",
        ),
        (
            lambda d: (
                (d / "train-labels-idx1-ubyte").unlink(),
                (d / "train-labels-idx1-ubyte").mkdir(),
            ),
            "cannot read .*train-labels-idx1-ubyte: .*Is a directory",
        ),
        (
            lambda d: (d / RECORDINGS / "7_zoe_1.wav").mkdir(),
            "cannot read .*7_zoe_1.wav: .*Is a directory",
        ),
        (
            lambda d: sources.write_idx(
                d / "train-labels-idx1-ubyte", np.zeros(139)
            ),
            r"train has images \(140, 28, 28\) and labels \(139,\)",
        ),
        (
            lambda d: sources.write_idx(
                d / "train-labels-idx1-ubyte", np.zeros(140)
            ),
            "too few images of digit 1 in train",
        ),
    ],
)
def test_what_is_wrong_with_the_sources_is_named(broken, damage, message):
    damage(broken)
    for take in (5, 10, 11):
        if "no recording" in message:
            (broken / RECORDINGS / f"7_lucas_{take}.wav").unlink()
    with pytest.raises(InputError, match=message):
        avdigits_sources.build(broken)


@pytest.mark.parametrize("protocol", avdigits.PROTOCOLS)
def test_the_real_file(protocol):
    path = packed.find("avdigits", sources.shared("avdigits"), "")
    arrays = avdigits._read(path, protocol)
    for part, pairs in (("train", 12000), ("val", 2000), ("test", 3000)):
        assert arrays[f"pairs_{protocol}_{part}"].shape == (pairs, 2)
    start, length = arrays["audio_start"], arrays["audio_len"]
    first, last = (
        log_mel(arrays["audio_pcm"][start[i] : start[i] + length[i]])
        for i in (0, -1)
    )
    # Speech, not silence, and not one recording twice.
    assert first.std() > 1
    assert last.std() > 1
    assert np.abs(first - last).max() > 1


def test_training_speaker_held_out(load):
    whole = load()
    train = whole.splits["train"]
    speaker = int(train.groups["speaker"][0])
    held_out = load(held_out=speaker)
    test = held_out.splits["test"]
    assert set(test.groups["speaker"]) == {speaker}
    assert speaker not in held_out.splits["train"].groups["speaker"]
    assert sorted(
        test.id.tolist() + held_out.splits["train"].id.tolist()
    ) == sorted(train.id.tolist())
    np.testing.assert_array_equal(
        held_out.splits["validation"].id, whole.splits["validation"].id
    )


def test_speaker_who_is_not_in_training(load):
    test_speaker = int(load().splits["test"].groups["speaker"][0])
    with pytest.raises(InputError, match="is no training speaker; these are"):
        load(held_out=test_speaker)
