import numpy as np
import pytest

from arm_jax import data
from arm_jax.data import memory as memory_module
from arm_jax.data import npz, packed
from arm_jax.errors import InputError


@pytest.fixture
def load(npz_arrays, tmp_path):
    """Saves the small task with some arrays changed, and loads it."""

    def changed(changes=None, drop=(), **options):
        arrays = {
            k: v
            for k, v in (npz_arrays | (changes or {})).items()
            if k not in drop
        }
        np.savez(tmp_path / "my.npz", **arrays)
        return data.load("npz", {"path": str(tmp_path / "my.npz")} | options)

    return changed


def test_given_split(load, npz_arrays):
    dataset = load(standardize=False)
    assert {k: len(v) for k, v in dataset.splits.items()} == {
        "train": 140,
        "validation": 50,
        "test": 50,
    }
    assert dataset.shapes == {"loud": (5,), "quiet": (4,)}
    test = dataset.splits["test"]
    np.testing.assert_array_equal(test.id, np.arange(190, 240))
    np.testing.assert_allclose(
        test.inputs["quiet"], npz_arrays["quiet"][190:], rtol=1e-6
    )


def test_standardised_on_training_rows(load):
    train = load().splits["train"].inputs["loud"]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-5)


def test_constant_feature_is_only_centred(load, npz_arrays):
    loud = npz_arrays["loud"].copy()
    loud[:, 2] = 3.0
    assert not load({"loud": loud}).splits["test"].inputs["loud"][:, 2].any()


def test_chosen_modalities(load):
    assert list(load(modalities=("quiet",)).shapes) == ["quiet"]


def test_drawn_split_is_stratified_and_seeded(load):
    first, same, other = (load(drop=["split"], seed=seed) for seed in (1, 1, 2))
    sizes = {k: len(v) for k, v in first.splits.items()}
    assert sum(sizes.values()) == 240
    assert abs(sizes["test"] - 48) <= 2
    for split in first.splits.values():
        counts = np.bincount(split.label)
        assert counts.max() - counts.min() <= 2
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.id, same.splits[name].id)
    assert not np.array_equal(first.splits["test"].id, other.splits["test"].id)


def test_groups_stay_on_one_side(load):
    person = np.arange(240) // 8
    dataset = load({"person": person}, drop=["split"], group="person")
    assert "person" not in dataset.shapes
    seen = [set(s.groups["person"]) for s in dataset.splits.values()]
    assert set.union(*seen) == set(range(30))
    assert sum(map(len, seen)) == 30  # no group twice


def test_an_array_named_group_is_one_without_being_asked(load):
    assert load().splits["train"].groups == {}
    group = {"group": np.arange(240) // 8}
    dataset = load(group, drop=["split"])
    assert set(dataset.shapes) == {"loud", "quiet"}
    seen = [set(s.groups["group"]) for s in dataset.splits.values()]
    assert sum(map(len, seen)) == 30  # no group twice
    with pytest.raises(InputError, match="if it is a modality, let"):
        load({"group": np.zeros((240, 2))})
    asked = {"group": np.zeros((240, 2)), "who": np.arange(240)}
    assert "group" in load(asked, group="who").shapes


def test_validation_is_drawn_from_training_rows(load):
    split = np.repeat([0, 2], [190, 50])
    dataset = load({"split": split})
    np.testing.assert_array_equal(
        dataset.splits["test"].id, np.arange(190, 240)
    )
    assert 30 <= len(dataset.splits["validation"]) <= 40


def with_entry(x, index, value):
    x = np.array(x)
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: {"quiet": a["quiet"][:-1]},
            r"'quiet' has shape \(239, 4\), but 'label' has 240 rows",
        ),
        (
            lambda a: {"loud": with_entry(a["loud"], (7, 2), np.nan)},
            r"loud\[7, 2\] is nan",
        ),
        (
            lambda a: {"loud": with_entry(a["loud"], (7, 2), np.inf)},
            r"loud\[7, 2\] is inf",
        ),
        (
            lambda a: {"label": with_entry(a["label"], 4, -1)},
            r"label\[4\] is -1, outside 0\.\.2",
        ),
        (
            lambda a: {"label": a["label"].astype(float)},
            r"label must be integers, .* label\.astype\(int\) makes",
        ),
        (
            lambda a: {"label": np.where(a["label"] == 1, 3, a["label"])},
            "no training example of class 1",
        ),
        (
            lambda a: {"split": with_entry(a["split"], 3, 9)},
            r"split\[3\] is 9; known: 0 \(train\)",
        ),
        (
            lambda a: {"loud": a["loud"].astype(str)},
            "my.npz: loud must be numbers, got strings .*; or choose arrays",
        ),
        (
            lambda a: {"loud": a["loud"][:, 0]},
            r"must have rows and features, .* make loud\[:, None\]; or choose",
        ),
        (lambda a: {"loud": a["loud"][:, :0]}, "'loud' has no features"),
        *(
            (
                lambda a, dtype=dtype: {"loud": np.zeros((240, 2), dtype)},
                "my.npz: loud must be numbers",
            )
            for dtype in ("M8[s]", "m8[s]", "F", "V2", "S2", [("x", "f4")])
        ),
        (
            lambda a: {"loud": a["loud"].astype(object)},
            "my.npz: 'loud' holds Python objects",
        ),
    ],
)
def test_what_is_wrong_is_named(load, npz_arrays, change, message):
    with pytest.raises(InputError, match=message):
        load(change(npz_arrays))


def test_labels_beyond_the_given_number_of_classes(load):
    with pytest.raises(InputError, match=r"label\[2\] is 2, outside 0\.\.1"):
        load(num_classes=2)


def test_missing_array(load):
    with pytest.raises(InputError, match="no array 'label'; it has: loud"):
        load(drop=["label"])


def test_missing_modality(load):
    with pytest.raises(InputError, match="no array 'radar'"):
        load(modalities=("radar",))


def test_missing_file():
    with pytest.raises(InputError, match="no file nowhere"):
        data.load("npz", {"path": "nowhere.npz"})


def test_too_few_groups_to_draw(load):
    groups = np.arange(240) % 3
    with pytest.raises(InputError, match=r"too few groups \(3\)"):
        load({"g": groups}, drop=["split"], group="g")


def test_time_stamps_keep_their_digits(load, npz_arrays, rng):
    # Adjacent float32 numbers are 128 apart there.
    label = npz_arrays["label"]
    clock = (1.7e9 + 20 * label + rng.normal(size=240))[:, None]
    train = load({"clock": clock}).splits["train"]
    assert len(np.unique(train.inputs["clock"])) == 140
    exact = clock[:140] - 1.7e9
    np.testing.assert_allclose(
        train.inputs["clock"], (exact - exact.mean()) / exact.std(), atol=1e-6
    )


def test_without_standardising_lost_digits_are_refused(load, rng):
    clock = 1.7e9 + rng.normal(size=(240, 1))
    with pytest.raises(
        InputError,
        match=r"my\.npz: clock: channel 0, .* loses its values in float32",
    ):
        load({"clock": clock}, standardize=False)


def test_arrays_that_are_not_asked_for_do_not_matter(load):
    others = {
        "filename": np.array(["a.jpg", None] * 120, object),
        "note": np.array(["x"] * 240),
        "meta": np.ones(3),
        "when": np.full(240, "2026-01-01", "datetime64[D]"),
    }
    chosen = load(others, modalities=("loud", "quiet"))
    assert chosen.digest == load().digest
    for name in others:
        with pytest.raises(
            InputError, match=rf"{name}.*; or choose arrays by the option 'mod"
        ):
            load({name: others[name]})


def test_too_little_memory_is_told_before_reading(load, monkeypatch):
    def read(archive, key):
        raise AssertionError(key)

    monkeypatch.setattr(packed.Archive, "read", read)
    monkeypatch.setattr(memory_module, "physical_memory", lambda: 1000)
    with pytest.raises(InputError, match="more than 80% of this machine's"):
        load()


@pytest.mark.parametrize(
    ("standardize", "needed"),
    # Labels and splits; then one modality as it is, 240 times 5 or 4 of 8
    # bytes, beside the results, of 4 bytes.
    [
        (True, 2 * 240 * 8 + 240 * (5 * 4) + 240 * (4 * 8 + 4 * 4)),
        (False, 2 * 240 * 8 + 240 * (5 * 4) + 240 * (4 * 8 + 2 * 4 * 4)),
    ],
)
def test_memory_is_counted(load, monkeypatch, standardize, needed):
    for memory, fits in ((needed / 0.8 + 2, True), (needed / 0.8 - 2, False)):
        monkeypatch.setattr(
            memory_module, "physical_memory", lambda m=memory: m
        )
        if fits:
            load(standardize=standardize)
        else:
            with pytest.raises(InputError, match="of this machine's memory"):
                load(standardize=standardize)


@pytest.mark.parametrize(
    "dtype", [np.uint64, np.int8, ">i4", np.uint16, np.int64]
)
def test_types_of_labels(load, npz_arrays, dtype):
    dataset = load({"label": npz_arrays["label"].astype(dtype)})
    assert dataset.digest == load().digest
    assert dataset.splits["train"].label.dtype == np.int32


def test_true_and_false_are_classes(load, npz_arrays):
    dataset = load({"label": npz_arrays["label"] > 0})
    assert dataset.class_names == ("0", "1")


def test_labels_of_64_bits_do_not_wrap(load, npz_arrays):
    label = npz_arrays["label"] + 2**32
    with pytest.raises(InputError, match=r"label\[0\] is 4294967296, outside"):
        load({"label": label}, num_classes=3)
    with pytest.raises(InputError, match=r"0, 1, 2 and 4294967293 more"):
        load({"label": label})
    with pytest.raises(InputError, match="more than int64 holds"):
        load({"label": label.astype(np.uint64) + 2**63})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda y: np.eye(3)[y], r"label must be integers, .*label\.astype"),
        (
            lambda y: np.eye(3, dtype=int)[y],
            r"of one-hot rows take label\.argmax\(axis=1\)",
        ),
        (lambda y: y[:, None], r"take label\[:, 0\]"),
        (lambda y: y + 0.5, "with fractions"),
        (lambda y: y.astype(object), "'label' holds Python objects"),
        (lambda y: y[0], "'label' has no rows"),
        (lambda y: y[:0], "'label' has no rows"),
    ],
)
def test_other_labels_are_refused_with_the_cure(
    load, npz_arrays, make, message
):
    with pytest.raises(InputError, match=message):
        load({"label": make(npz_arrays["label"])})


def test_labels_with_holes(load, npz_arrays):
    label = np.array([101, 2050, 3999])[npz_arrays["label"]]
    with pytest.raises(
        InputError,
        match=r"class 0, 1, 2 and 3994 more .*np\.unique\(label, return_inv",
    ) as caught:
        load({"label": label})
    assert len(str(caught.value)) < 300


def test_fewer_classes_than_the_file_has_rows_of(load):
    with pytest.raises(
        InputError, match="no training example of class 3, 4, 5"
    ):
        load(num_classes=10**18)


def test_classes_of_other_parts(load, npz_arrays):
    label = npz_arrays["label"].copy()
    # None of class 2 for validation, one row for testing: allowed.
    split = np.zeros(240, int)
    split[3:8] = 1
    split[np.flatnonzero(label == 2)[:3]] = 0
    split[200] = 2
    dataset = load({"split": split})
    assert len(dataset.splits["test"]) == 1
    assert set(dataset.splits["validation"].label) == {0, 1}
    # All of class 2 for testing: not.
    with pytest.raises(InputError, match="rows of class 2 are in other splits"):
        load({"split": np.where(label == 2, 2, split)})


@pytest.mark.parametrize("code", range(3))
def test_part_without_rows(load, npz_arrays, code):
    split = npz_arrays["split"]
    split = np.where(split == code, (code + 2) % 3, split)
    if code == 1:  # drawn
        assert len(load({"split": split}).splits["validation"])
        return
    with pytest.raises(InputError, match=rf"no row of 'split' is {code} \("):
        load({"split": split})


@pytest.mark.parametrize(
    "make",
    [
        lambda s: s > 1,  # which would mean validation
        lambda s: s.astype(float),
        lambda s: np.array(["train", "validation", "test"])[s],
        lambda s: s[:, None],
    ],
)
def test_split_that_is_no_codes(load, npz_arrays, make):
    with pytest.raises(
        InputError, match=r"'split' must be a vector of the integers 0 \(train"
    ):
        load({"split": make(npz_arrays["split"])})


def test_split_that_was_named_must_be_there(load):
    with pytest.raises(InputError, match="has no array 'fold'"):
        load(split="fold")
    assert len(load(drop=["split"]).splits["test"]) == 48


@pytest.mark.parametrize("shift", [2**40, -(2**40)])
def test_groups_of_64_bits_stay_apart(load, shift):
    person = np.arange(240) // 8 * 2**32 + shift
    dataset = load({"person": person}, drop=["split"], group="person")
    seen = [set(s.groups["person"]) for s in dataset.splits.values()]
    assert set.union(*seen) == set(person)
    assert sum(map(len, seen)) == 30


def test_groups_of_names_are_refused_with_the_cure(load):
    with pytest.raises(InputError, match=r"np\.unique\(who, return_inverse"):
        load({"who": np.array(["a", "b"] * 120)}, group="who")


@pytest.mark.parametrize(
    "given",
    [
        "loud,quiet",
        " loud , quiet ",
        ("loud,quiet",),  # as a flag passes it on
        ("loud", "quiet"),
        ["loud", "quiet"],
        np.array(["loud", "quiet"]),
    ],
)
def test_several_names_as_people_type_them(load, given):
    assert load(modalities=given).digest == load().digest


def test_one_name_may_have_a_comma(load, npz_arrays):
    dataset = load({"a,b": npz_arrays["loud"]}, modalities="a,b")
    assert list(dataset.shapes) == ["a,b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, r"--config\.data\.options\.path=FILE\.npz"),
        ({"modalities": "loud,loud"}, "'loud' is named twice"),
        ({"modalities": "loud,label"}, "'label' is no modality"),
        ({"modalities": "loud,"}, "has no array ''"),
        ({"modalities": 3}, "options.modalities must be a tuple"),
        ({"modalities": (1, 2)}, r"modalities\[0\] must be of type str"),
        ({"label": ""}, "option 'label' names no array"),
        ({"group": "label"}, "label, split, group and weights must be"),
        ({"seed": -1}, "seed must be in 0..4294967295, got -1"),
        ({"num_classes": -3}, "num_classes must be at least 0, got -3"),
        ({"num_classes": 1}, "two classes or more, got 1|outside 0..0"),
        (
            {"standardize": "no"},
            "standardize must be of type bool, got 'no'",
        ),
        ({"seed": 1.5}, "seed must be of type int, got 1.5"),
        ({"seed": True}, "seed must be of type int, got True"),
        ({"path": 3}, "path must be of type str, got 3"),
    ],
)
def test_wrong_options_are_named(load, options, message):
    with pytest.raises(InputError, match=message):
        load(**options)


def test_the_module_checks_its_options_itself(npz_file):
    with pytest.raises(InputError, match="no option 'modality'"):
        npz.load(path=npz_file, modality="loud")
    assert len(npz.load(path=npz_file, seed=np.int64(1)).splits) == 3


def test_sample_without_a_modality(load, npz_arrays):
    loud = npz_arrays["loud"].copy()
    loud[::10] = np.nan
    with pytest.raises(
        InputError,
        match=r"my\.npz: loud\[0, 0\] is nan, and 24 of 240 rows \(10\.0%\) .*"
        "drop these rows, fill them, or say .*: `present_MODALITY`",
    ):
        load({"loud": loud})


def test_class_of_few_rows_is_named(load, npz_arrays):
    label = npz_arrays["label"].copy()
    label[np.flatnonzero(label == 2)[3:]] = 0
    with pytest.raises(InputError, match=r"too few rows of class 2 \(3\)"):
        load({"label": label}, drop=["split"])


def test_byte_order_and_memory_order_do_not_matter(load, npz_arrays):
    changed = {
        "loud": np.asfortranarray(npz_arrays["loud"].astype(">f8")),
        "split": npz_arrays["split"].astype(">i2"),
    }
    assert load(changed).digest == load().digest
    assert (
        load(changed, standardize=False).digest
        == load(standardize=False).digest
    )


def test_names_of_arrays_may_be_odd(load, npz_arrays):
    odd = {"音声 1": npz_arrays["loud"], "a/b.c": npz_arrays["quiet"]}
    dataset = load(odd, drop=["loud", "quiet"])
    assert set(dataset.shapes) == set(odd)


def test_weights_go_with_their_rows(load):
    weights = np.arange(240) / 7
    dataset = load({"weights": weights})
    assert set(dataset.shapes) == {"loud", "quiet"}
    for split in dataset.splits.values():
        np.testing.assert_array_equal(split.weights, weights[split.id])
    part = dataset.splits["test"].where(np.arange(50) < 3)
    np.testing.assert_array_equal(part.weights, weights[190:193])
    named = load({"w": weights}, weights="w")
    assert named.digest == dataset.digest != load().digest
    assert load().splits["train"].weights is None


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (3, -2.0, r"my.npz: weights\[3\] is negative: -2"),
        (7, np.nan, r"my.npz: weights\[7\] is nan"),
        (slice(None), 0.0, "my.npz: weights are all zero"),
    ],
)
def test_bad_weights_are_named(load, at, value, message):
    with pytest.raises(InputError, match=message):
        load({"weights": with_entry(np.ones(240), at, value)})
    with pytest.raises(InputError, match="weights must have shape"):
        load({"weights": np.ones((240, 1))})


def test_labels_may_be_names(load, npz_arrays):
    names = np.array(["walk", "<run>", "sit"])
    dataset = load({"label": names[npz_arrays["label"]]})
    assert dataset.class_names == ("<run>", "sit", "walk")
    train = dataset.splits["train"]
    said = np.array(dataset.class_names)[train.label]
    np.testing.assert_array_equal(said, names[npz_arrays["label"][train.id]])


@pytest.mark.parametrize(
    ("label", "options", "message"),
    [
        (
            lambda y: np.array(["a", "", "b"])[y],
            {},
            r"'label'\[\d+\] is an empty",
        ),
        (
            lambda y: y.astype(str),
            {"num_classes": 3},
            "num_classes is for numbers",
        ),
        (lambda y: y.astype(str)[:, None], {}, "must be a vector"),
    ],
)
def test_names_that_are_none(load, npz_arrays, label, options, message):
    with pytest.raises(InputError, match=message):
        load({"label": label(npz_arrays["label"])}, **options)


def test_rows_that_lack_a_modality(load, npz_arrays):
    there = np.arange(240) % 10 != 0
    loud = npz_arrays["loud"].copy()
    loud[~there] = np.nan
    dataset = load({"loud": loud, "present_loud": there})
    assert dataset.modalities == ("loud", "quiet")
    train = dataset.splits["train"]
    np.testing.assert_array_equal(train.present[:, 0], there[:140])
    assert train.present[:, 1].all()
    x = train.inputs["loud"]
    assert not x[~there[:140]].any()
    # Standardised where it is there.
    np.testing.assert_allclose(x[there[:140]].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x[there[:140]].std(0), 1, atol=1e-5)
    # Whatever stands in its place: the same data.
    loud[~there] = 1e9
    other = load({"loud": loud, "present_loud": there.astype(int)})
    assert other.digest == dataset.digest != load().digest
    # Columns are in the order of the names, however those were given.
    named = load(
        {"loud": loud, "present_loud": there}, modalities=("quiet", "loud")
    )
    np.testing.assert_array_equal(named.splits["train"].present, train.present)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"loud": np.arange(240)}, r"'present_loud'\[2\] is 2, neither 1 nor"),
        ({"loud": np.ones(3, bool)}, r"one of each of the 240 rows, got bool"),
        ({"loud": np.arange(240) >= 140}, "loud: no training row has it"),
        (
            dict.fromkeys(("loud", "quiet"), np.arange(240) != 7),
            "row 7 has no modality at all, and so 1 of 240 rows",
        ),
    ],
)
def test_presence_that_cannot_be(load, arrays, message):
    with pytest.raises(InputError, match=message):
        load({f"present_{key}": x for key, x in arrays.items()})


def test_the_forgotten_path_has_a_key_for_each_command():
    with pytest.raises(InputError) as error:
        npz.load(path="")
    assert "--config.data.options.path=" in str(error.value)
    assert "--config.training.data.options.path=" in str(error.value)
