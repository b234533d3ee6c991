import copy

import jax
import pytest

from arm_jax import record
from arm_jax.errors import InputError


@pytest.fixture
def now():
    return record.current("0123456789ab")


def changed(now, path, value):
    """Returns `now` with another value at a path."""
    other = copy.deepcopy(now)
    *blocks, key = path
    block = other
    for name in blocks:
        block = block[name]
    block[key] = value
    return other


CHANGES = {
    "sources": (("sources",), "beef"),
    "packages": (("packages", "jax"), "0.1"),
    "device": (("device_kind",), "TPU v9"),
}


def test_what_a_run_is_made_with(now):
    assert now["data"] == "0123456789ab"
    assert now["packages"]["jax"] == jax.__version__
    assert now["settings"]["jax_default_prng_impl"] == "threefry2x32"
    assert now["device_count"] == len(jax.devices())
    assert now["sources"] == record.source_digest()


def test_events_are_added_and_never_changed(tmp_path, now):
    record.enter(tmp_path, now)
    first = (tmp_path / record.NAME).read_text()
    record.enter(tmp_path, now)
    assert record.finished(tmp_path) is None
    record.append(tmp_path, "finish", now)
    text = (tmp_path / record.NAME).read_text()
    assert text.startswith(first)
    lines = record.read(tmp_path)
    assert [r["event"] for r in lines] == ["begin", "resume", "finish"]
    assert record.finished(tmp_path) == lines[-1]["time"]
    # To look does not stamp.
    record.check(tmp_path, now)
    record.warn(tmp_path, now)
    assert (tmp_path / record.NAME).read_text() == text


@pytest.mark.parametrize("kind", CHANGES)
def test_change_is_named_and_can_be_allowed(tmp_path, now, caplog, kind):
    record.enter(tmp_path, now)
    before = (tmp_path / record.NAME).read_text()
    path, value = CHANGES[kind]
    other = changed(now, path, value)
    with pytest.raises(InputError, match=f"{value}.*--allow={kind} goes on"):
        record.enter(tmp_path, other)
    assert (tmp_path / record.NAME).read_text() == before
    record.warn(tmp_path, other)
    assert str(value) in caplog.text
    record.enter(tmp_path, other, [kind])
    # From then on that is what it is made with.
    record.check(tmp_path, other)
    with pytest.raises(InputError, match="was made with"):
        record.check(tmp_path, now)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("data",), "feed", "other data .digest 0123456789ab there, feed now"),
        (
            ("weights",),
            {"text": "ab" * 32},
            "other weights .digest of text none there, abababababab now",
        ),
        (
            ("settings", "jax_default_prng_impl"),
            "rbg",
            r"jax_default_prng_impl=threefry2x32 \(now rbg\)",
        ),
        (("settings", "jax_enable_x64"), True, "jax_enable_x64=False .now T"),
    ],
)
def test_other_runs_cannot_be_allowed(tmp_path, now, path, value, message):
    record.enter(tmp_path, now)
    with pytest.raises(InputError, match=message) as caught:
        record.enter(tmp_path, changed(now, path, value), record.ALLOWED)
    assert "--allow" not in str(caught.value)
    assert "choose another workdir" in str(caught.value)


def test_settings_are_those_of_this_moment(now):
    with jax.default_prng_impl("rbg"):
        differences = dict(record.differences(now, record.current(now["data"])))
    assert differences.keys() == {"settings"}


def test_number_of_devices_and_minor_packages_may_change(tmp_path, now, caplog):
    record.enter(tmp_path, now)
    other = changed(now, ("packages", "scipy"), "0.1")
    record.check(tmp_path, other)
    record.warn(tmp_path, other)
    assert not caplog.text
    # Dropout is another one, which who reads the numbers should know.
    other = changed(now, ("device_count",), 64)
    record.check(tmp_path, other)
    record.warn(tmp_path, other)
    assert "2 there, 64 now" in caplog.text


def test_modules_that_the_config_names(tmp_path, monkeypatch):
    package = tmp_path / "mine_of_record"
    (package / "Sub").mkdir(parents=True)
    for file in ("loss.py", "__init__.py", "Sub/__init__.py"):
        (package / file).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    names = "mine_of_record.loss", "mine_of_record.Sub", "mine_of_record.gone"

    def current():
        return record.current("0123456789ab", modules=names)

    before = current()
    assert before["modules"].keys() == set(names)
    assert before["modules"]["mine_of_record.gone"] is None
    assert current() == before
    (package / "Sub" / "more.py").write_text("X = 1")
    (tmp_path / "run").mkdir()
    record.enter(tmp_path / "run", before)
    message = (
        r"with other sources of mine_of_record\.Sub \(dig.*--allow=sources"
    )
    with pytest.raises(InputError, match=message) as caught:
        record.check(tmp_path / "run", current())
    assert "arm_jax" not in str(caught.value)
    record.check(tmp_path / "run", current(), ["sources"])
    # Lines from before there were any.
    del before["modules"]
    assert (
        dict(record.differences(before, record.current("0123456789ab"))) == {}
    )


def test_several_changes_are_listed_together(tmp_path, now):
    record.enter(tmp_path, now)
    other = now
    for path, value in CHANGES.values():
        other = changed(other, path, value)
    with pytest.raises(InputError, match="--allow=sources,packages,device"):
        record.check(tmp_path, other)
    with pytest.raises(InputError, match="--allow=packages goes"):
        record.check(tmp_path, other, ["sources", "device"])


def test_unknown_kind(tmp_path, now):
    with pytest.raises(InputError, match="--allow must be one of sources"):
        record.check(tmp_path, now, ["everything"])


def test_checkpoints_without_a_record(tmp_path, now):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="checkpoints but no record"):
        record.enter(tmp_path, now)
    assert not (tmp_path / record.NAME).exists()


@pytest.mark.parametrize("how", ["key", "block"])
def test_a_damaged_line(tmp_path, now, how):
    record.enter(tmp_path, now)
    file = tmp_path / record.NAME
    text = file.read_text().replace(
        *(
            ('"settings"', '"setTings"')
            if how == "key"
            else ('"settings": {', '"settings": 1, "x": {')
        )
    )
    file.write_text(text)
    with pytest.raises(InputError, match="line 1 is not as it was written"):
        record.read(tmp_path)
    # Of before lines had digests.
    file.write_text(text.replace('"digest"', '"other"'))
    with pytest.raises(InputError, match=r"record\.jsonl, line 1 is damaged,"):
        record.enter(tmp_path, now)


def test_lines_are_brought_to_the_disk(tmp_path, now, monkeypatch):
    synced = []
    monkeypatch.setattr(record, "sync", synced.append)
    record.append(tmp_path, "begin", now)
    assert synced == [tmp_path / record.NAME]
