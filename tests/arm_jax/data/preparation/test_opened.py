import functools

import pytest

from arm_jax.data import preparation
from arm_jax.data.preparation import shards
from arm_jax.errors import InputError
from tests.arm_jax.data.preparation import numbers

pytest.importorskip("array_record", reason="keeps the records")
opened = functools.partial(preparation.opened, "numbers")


@pytest.fixture
def out(tmp_path):
    """A folder that is prepared."""
    source = numbers.write(tmp_path / "files")
    plan = numbers.plan(source, tmp_path / "data" / "numbers")
    preparation.prepare(plan, processes=1, progress=False)
    return plan.folder


def test_reading_checks_the_options(out):
    with pytest.raises(InputError, match="with side 3, not 5"):
        opened(out, {"side": 5})


def lose(out):
    shards.records_file(out, 2).unlink()


def cut(out):
    file = shards.records_file(out, 2)
    file.write_bytes(file.read_bytes()[:-1])


def spoil(out):
    shards.manifest_file(out, 2).write_text("{}")


def swap(out):
    file = shards.manifest_file(out, 2)
    file.write_text(file.read_text().replace("12.txt", "13.txt"))


def tear(out):
    (out / "prepared.json").write_text("[")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose, "shard-00002.array_record is missing or not whole; copy it"),
        (cut, "shard-00002.array_record is missing or not whole; copy it"),
        (spoil, "shard-00002.json is damaged: remove it"),
        (swap, "the shards in .* are not those of its prepared.json"),
        (tear, "prepared.json is damaged; repeat python -m"),
    ],
)
def test_damaged_folders(out, damage, message):
    damage(out)
    with pytest.raises(InputError, match=message):
        opened(out, {})


def gone(file):
    file.unlink()


def flipped(file):
    """A byte of the first record, of which no size tells."""
    data = bytearray(file.read_bytes())
    data[data.index(b"n 6")] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"), [(gone, r"open\(\) failed"), (flipped, ".*hash mism")]
)
def test_records_that_cannot_be_read(out, damage, words):
    records = opened(out, {}).records()
    file = shards.records_file(out, 1)
    damage(file)
    with pytest.raises(
        InputError, match=rf"{file} is damaged or gone \({words}.*remove it and"
    ):
        records[6]
    records[5]
