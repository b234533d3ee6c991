import functools
import shutil

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import data, loop
from arm_jax.data import pipeline
from arm_jax.data.dataset import with_workers
from arm_jax.errors import InputError
from tests.arm_jax.data import food101_tree as tree

for package in ("PIL.Image", "tokenizers", "array_record"):
    pytest.importorskip(package, reason="needs the extra 'media'")
prepare = functools.partial(
    data.prepare, "food101", processes=1, progress=False
)
SIZE = 16


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tree.write(tmp_path_factory.mktemp("food") / "food")


def options_of(root, **options):
    return {
        "path": str(root),
        "data_dir": str(root.parent / "data"),
        "vocabulary": tree.write_vocabulary(root.parent / "vocab.txt"),
        "short_side": 18,
        "size": SIZE,
        "length": 8,
        "validation": 0.34,
        **options,
    }


@pytest.fixture(scope="module")
def options(original):
    options = options_of(original)
    prepare(data.index("food101", options), options)
    return options


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "food")


def test_splits_and_labels(options):
    dataset = data.load("food101", options)
    assert dataset.class_names == tree.CLASSES
    assert dataset.modalities == ("image", "text")
    assert dataset.specs["image"] == jax.ShapeDtypeStruct((16, 16, 3), np.uint8)
    assert dataset.specs["text"] == {
        "ids": jax.ShapeDtypeStruct((8,), np.int32),
        "mask": jax.ShapeDtypeStruct((8,), np.bool_),
    }
    for name, count in (("train", 4), ("validation", 2), ("test", 2)):
        label = dataset.splits[name].label
        np.testing.assert_array_equal(np.bincount(label), [count] * 3)
    ids = [split.id for split in dataset.splits.values()]
    assert sorted(np.concatenate(ids)) == list(range(24))


def test_images_and_titles_belong_to_the_labels(options):
    for split in data.load("food101", options).splits.values():
        batch = split.take(np.arange(len(split)))
        for label, image, ids, mask in zip(
            batch["label"],
            batch["inputs"]["image"],
            batch["inputs"]["text"]["ids"],
            batch["inputs"]["text"]["mask"],
            strict=True,
        ):
            words = [tree.WORDS[i] for i in ids[mask]]
            assert (words[0], words[-1]) == ("[CLS]", "[SEP]")
            name = tree.CLASSES[label]
            title = f"best {name.replace('_', ' ')} ##s recipe"
            assert " ".join(words[1:-1]) == title
            # Which of the colours an image is nearest to.
            color = image.reshape(-1, 3).mean(axis=0)
            distance = np.abs(color - np.array(tree.COLORS)).sum(axis=1)
            assert distance.argmin() == label


def test_the_draw_is_by_seed(options):
    def drawn(**changes):
        dataset = data.load("food101", options | changes)
        return dataset.splits["validation"].id.tolist(), dataset.digest

    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    assert len(drawn(validation=0.17)[0]) == 3


def test_crops_are_drawn_in_training_only(options):
    dataset = with_workers(data.load("food101", options), 2, 0)
    split = dataset.splits["train"]
    plain = {
        int(i): x
        for i, x in zip(
            split.id,
            split.take(np.arange(12))["inputs"]["image"],
            strict=True,
        )
    }

    def images(epoch):
        batches = pipeline.epoch_batches(split, 12, seed=0, epoch=epoch)
        batch = batches.make(0)
        return dict(
            zip(batch["id"].tolist(), batch["inputs"]["image"], strict=True)
        )

    first, again, next_one = images(0), images(0), images(1)
    jax.tree.map(np.testing.assert_array_equal, first, again)
    for other in (plain, next_one):
        differ = [not np.array_equal(first[i], other[i]) for i in first]
        assert sum(differ) > 8
    # Evaluation never is.
    batches = list(pipeline.eval_batches(dataset.splits["test"], 6))
    again = list(pipeline.eval_batches(dataset.splits["test"], 6))
    jax.tree.map(np.testing.assert_array_equal, batches, again)


def test_processes_read_records_too(options):
    plain, parallel = (
        list(pipeline.eval_batches(dataset.splits["test"], 3))
        for dataset in (
            data.load("food101", options),
            with_workers(data.load("food101", options), 0, 1),
        )
    )
    jax.tree.map(np.testing.assert_array_equal, plain, parallel)


def test_the_files_are_not_needed_any_more(root, options):
    own = options_of(root)
    prepare(data.index("food101", own), own)
    shutil.rmtree(root)
    own = {k: x for k, x in own.items() if k not in ("path", "vocabulary")}
    # Nor does it matter where they were.
    assert (
        data.load("food101", own).digest == data.load("food101", options).digest
    )


def test_damaged_images_are_skipped(root):
    folder = root / "images" / "train" / "omelette"
    (folder / "omelette_0.jpg").write_bytes(b"")
    (folder / "omelette_1.jpg").write_bytes(b"<html>gone</html>")
    jpeg = (folder / "omelette_2.jpg").read_bytes()
    (folder / "omelette_2.jpg").write_bytes(jpeg[:-200])
    (root / "images" / "test" / "ramen" / "ramen_100.jpg").unlink()
    options = options_of(root)
    found = data.index("food101", options)
    with pytest.raises(InputError, match="4 of 24 files cannot be used so far"):
        prepare(found, options)
    prepared = prepare(found, options | {"max_skipped": 0.2})
    rows = (prepared.folder / "skipped.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [
        ["test/ramen/ramen_100.jpg", "missing"],
        ["train/omelette/omelette_0.jpg", "empty"],
        ["train/omelette/omelette_1.jpg", "html_page"],
        ["train/omelette/omelette_2.jpg", "truncated"],
    ]
    dataset = data.load("food101", options)
    assert [len(x) for x in dataset.splits.values()] == [10, 5, 5]


def test_a_title_that_changed_is_noticed(root):
    options = options_of(root)
    prepare(data.index("food101", options), options)
    lines = tree.lines_of(root, "train")
    lines[4] = lines[4].replace("Best", "Quick")
    tree.write_lines(root, "train", lines)
    with pytest.raises(InputError, match=r"apple_pie_4.jpg' has changed"):
        prepare(data.index("food101", options), options)


def test_another_vocabulary_is_refused(options, tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join([*tree.WORDS, "waffle"]))
    changed = options | {"vocabulary": str(file)}
    for use in (
        functools.partial(data.load, "food101"),
        functools.partial(prepare, data.index("food101", options)),
    ):
        with pytest.raises(InputError, match="was prepared with vocabulary"):
            use(changed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"short_side": 17}, "was prepared with short_side 18, not 17"),
        ({"classes": ("ramen", "omelette")}, "was prepared with classes"),
        ({"size": 19}, r"size must be in 1..18 \(short_side\), got 19"),
        ({"length": 2}, "length must be at least 3"),
        ({"validation": 0.0}, "validation must be above 0 and below 1"),
        ({"validation": 0.01}, "split 'validation': no examples"),
        ({"data_dir": "/nowhere"}, "is not prepared, or not to the end; run"),
        ({"short_side": 0, "size": 0}, "size must be in 1..0"),
    ],
)
def test_options_that_do_not_fit(options, changes, message):
    with pytest.raises(InputError, match=message):
        data.load("food101", options | changes)


def test_preparing_needs_a_vocabulary(options):
    found = data.index("food101", options)
    with pytest.raises(InputError, match="needs the option 'vocabulary'"):
        prepare(found, options | {"vocabulary": ""})


def test_other_data_sets_need_no_preparation():
    with pytest.raises(InputError, match="'npz' needs no preparation: train"):
        data.index("npz", {})


@pytest.fixture(scope="module")
def run(options):
    mapping = {
        "data": {"name": "food101", "options": options, "batch_size": 4},
        "model": {
            "hidden": (8,),
            "features": 8,
            "encoders": {
                "text": {"name": "tokens", "vocabulary": len(tree.WORDS)},
            },
        },
        "method": {"name": "uniform"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "train": {"epochs": 2, "log_every": 1, "eval_batch_size": 8},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


def test_training_resumes_to_the_bit(run, tmp_path):
    whole = loop.train(run, tmp_path / "whole", progress=False)
    # In the middle of the second epoch of three steps.
    loop.train(run, tmp_path / "parts", stop_after=4, progress=False)
    parts = loop.train(run, tmp_path / "parts", progress=False)
    jax.tree.map(
        np.testing.assert_array_equal,
        jax.tree.leaves(whole),
        jax.tree.leaves(parts),
    )
    (score,) = run.score(whole.last, "test")
    assert np.isfinite(score["loss"])
