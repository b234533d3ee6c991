import dataclasses

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import data, loop
from arm_jax.data import pipeline
from arm_jax.data.dataset import checked, with_workers
from arm_jax.errors import InputError
from tests.arm_jax.data import lazy


@pytest.fixture
def dataset():
    return lazy.load()


def in_memory(split):
    """The same examples as arrays."""
    return dataclasses.replace(
        split, inputs=split.take(np.arange(len(split)))["inputs"]
    )


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_shapes_and_types_are_those_of_an_example(dataset):
    assert dataset.modalities == ("image", "text")
    assert dataset.specs["image"] == jax.ShapeDtypeStruct((8, 8, 3), np.uint8)
    assert dataset.shapes["text"] == {"ids": (6,), "mask": (6,)}
    assert checked(dataset) is dataset


@pytest.mark.parametrize("processes", [0, 2])
def test_batches_are_those_of_arrays_in_memory(processes):
    threads = 0 if processes else 2
    dataset = with_workers(lazy.load(augment=False), threads, processes)
    split = dataset.splits["train"]
    options = {
        "seed": 3,
        "epoch": 1,
        "copy_row": np.array([5, 5, 7]),
        "copy_mask": np.ones((3, 2)),
    }
    lazily, ready = (
        list(pipeline.stream(s, pipeline.epoch_batches(s, 8, **options), 2))
        for s in (split, in_memory(split))
    )
    assert len(lazily) == 63 // 8 - 2
    equal(lazily, ready)


def test_evaluation_sees_every_example_and_nothing_augmented(dataset):
    split = dataset.splits["test"]
    batches = [
        list(pipeline.eval_batches(s, 8)) for s in (split, in_memory(split))
    ]
    equal(*batches)


def test_augmentation_is_drawn_by_seed_epoch_and_position(dataset):
    split = dataset.splits["train"]

    def images(epoch, start=0):
        batches = pipeline.epoch_batches(split, 20, seed=1, epoch=epoch)
        stream = pipeline.stream(split, batches, start)
        return [(b["id"], b["inputs"]["image"]) for b in stream]

    equal(images(0), images(0))
    # A resumed epoch draws the same.
    equal(images(0, start=2), images(0)[2:])
    plain = {i: lazy.decode(i)["image"] for i in range(60)}
    flipped = [
        not np.array_equal(image, plain[i])
        for ids, x in images(0)
        for i, image in zip(ids, x, strict=True)
    ]
    assert 15 < sum(flipped) < 45
    again = [
        not np.array_equal(image, plain[i])
        for ids, x in images(1)
        for i, image in zip(ids, x, strict=True)
    ]
    assert flipped != again


def test_what_is_not_augmented_is_settled(dataset):
    def crop(example):
        return {**example, "image": example["image"][2:6, 2:6]}

    def shift(example, rng):
        top = int(rng.integers(5))
        return {**example, "image": example["image"][top : top + 4, :4]}

    plain = dataset.splits["train"]
    split = dataclasses.replace(
        plain,
        inputs=dataclasses.replace(plain.inputs, augment=shift, settle=crop),
    )
    assert split.inputs.example(0)["image"].shape == (4, 4, 3)
    rows = np.arange(9)
    whole = plain.take(rows)["inputs"]["image"]
    settled = split.take(rows)["inputs"]["image"]
    np.testing.assert_array_equal(settled, whole[:, 2:6, 2:6])
    # What is augmented was not settled before.
    drawn = split.take(rows, rows[:, None])
    tops = [int(np.random.default_rng(row).integers(5)) for row in rows]
    for x, image, top in zip(
        drawn["inputs"]["image"], whole, tops, strict=True
    ):
        np.testing.assert_array_equal(x, image[top : top + 4, :4])


def test_parts_of_a_source(dataset):
    split = dataset.splits["train"]
    chosen = np.arange(60) % 4 == 1
    part = split.where(chosen).where(np.arange(15) > 4)
    equal(
        part.take(np.arange(10))["inputs"],
        split.take(np.flatnonzero(chosen)[5:])["inputs"],
    )
    assert part.inputs.digest == split.inputs.digest
    # But the rows tell it from the whole.
    digests = {
        dataclasses.replace(
            dataset, splits={**dataset.splits, "train": s}
        ).digest
        for s in (split, split.where(chosen), split.where(~chosen))
    }
    assert len(digests) == 3


def test_what_needs_arrays_says_so(dataset):
    with pytest.raises(InputError, match="'image' is not in memory; this"):
        dataset.splits["train"].arrays("image")
    split = in_memory(dataset.splits["train"])
    assert split.arrays("image").shape == (60, 8, 8, 3)
    with pytest.raises(InputError, match=r"'text' is no array but has ids:"):
        split.arrays("text")


def test_examples_that_differ_are_named(dataset):
    def ragged(record):
        example = lazy.decode(record)
        return example | {"image": example["image"][: 8 - (record == 7)]}

    split = dataset.splits["train"]
    split = dataclasses.replace(
        split, inputs=dataclasses.replace(split.inputs, decode=ragged)
    )
    with pytest.raises(InputError, match=r"example 7 has .*uint8\[7, 8, 3\]"):
        split.take(np.arange(10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"label": s.label[:5], "id": s.id[:5]},
         "inputs has 60 rows, label 5"),
        (
            lambda s: {
                "inputs": dataclasses.replace(
                    s.inputs, decode=lambda r: {"image": np.zeros(3)}
                )
            },
            "image must be float32, integers or bool, got float64",
        ),
    ],
)  # fmt: skip
def test_sources_are_checked(dataset, change, message):
    train = dataset.splits["train"]
    splits = dict.fromkeys(
        ("train", "validation", "test"),
        dataclasses.replace(train, **change(train)),
    )
    with pytest.raises(InputError, match=message):
        checked(dataclasses.replace(dataset, splits=splits))


@pytest.fixture(scope="module")
def run():
    mapping = {
        "data": {"name": lazy.__name__, "batch_size": 12, "threads": 2},
        "model": {
            "hidden": (8,),
            "features": 6,
            "encoders": {"text": {"name": "tokens", "vocabulary": 20}},
        },
        "method": {"name": "uniform"},
        "optimizer": {"learning_rate": 3e-2},
        "train": {"epochs": 4, "log_every": 2},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


def test_images_and_texts_are_trained_and_resume(run, tmp_path):
    whole = loop.train(run, tmp_path / "whole", progress=False)
    loop.train(run, tmp_path / "parts", stop_after=7, progress=False)
    parts = loop.train(run, tmp_path / "parts", progress=False)
    equal(jax.tree.leaves(whole), jax.tree.leaves(parts))
    (score,) = run.score(whole.last, "test")
    assert score["accuracy_image"] > 0.9
    assert score["accuracy_text"] > 0.6


def test_workers_are_those_of_the_config(run):
    assert run.dataset.splits["test"].inputs.threads == 2


def test_threads_are_as_many_as_processors(run, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    source = run.dataset.splits["test"].inputs
    assert source.made_at_once == 2
    assert dataclasses.replace(source, threads=0).made_at_once == 16


def test_load_checks_what_is_from_outside():
    assert data.load(lazy.__name__, {"augment": False}).name == "lazy"
