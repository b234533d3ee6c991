import numpy as np
import pytest
import tensorflow_datasets as tfds

from arm_jax.data import preparation
from arm_jax.data.preparation import Index, Item
from arm_jax.data.preparation.export import export
from arm_jax.errors import InputError
from tests.arm_jax.data.preparation import numbers

pytest.importorskip("array_record", reason="keeps the records")
WORDS = ("train", "test", "train test", "")


def decode(n):
    return {
        "frames": [bytes([n]), b"\x00\xff" * n],
        "audio": np.full((n + 1, 2), n / 4, np.float16),
        "title": f"é {n}",
    }


def prepared(tmp_path):
    items = [
        Item(f"{n}.x", WORDS[n % 4], n % 2, n, group=f"of {n // 2}")
        for n in range(8)
    ]
    plan = numbers.plan(
        numbers.write(tmp_path / "files"),
        tmp_path / "data" / "clips",
        name="clips",
        index=Index(items, ("even", "odd")),
        decode=decode,
    )
    return preparation.prepare(plan, processes=1, progress=False)


def test_tfds_reads_the_same_samples(tmp_path):
    made = prepared(tmp_path)
    folder = export(made, tmp_path / "tfds")
    # As another program does, without this project.
    builder = tfds.builder_from_directory(folder)
    assert builder.info.features["label"].names == ["even", "odd"]
    found = {
        example["id"]: (split, example)
        for split, source in builder.as_data_source().items()
        for example in source
    }
    assert sorted(found) == list(range(8))
    for n, (split, example) in found.items():
        assert split == ("train", "test", "train_test", "unlisted")[n % 4]
        record = decode(n)
        assert list(example["frames"]) == record["frames"]
        assert example["audio"].dtype == np.float16
        np.testing.assert_array_equal(example["audio"], record["audio"])
        assert example["title"].decode() == record["title"]
        assert example["label"] == n % 2
        assert example["key"] == f"{n}.x".encode()
        assert example["group"] == f"of {n // 2}".encode()
    with pytest.raises(InputError, match=r"is there already; remove it"):
        export(made, tmp_path / "tfds")
