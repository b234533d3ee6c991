"""What Orbax says of a save that fails: once, and by raising it."""

import os
import sys
import warnings
from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from arm_jax import checkpoint

# What a write says that ends after others have failed, and an error.
LATE = SimpleNamespace(exc_value=RuntimeError("Event loop is closed"))
OTHER = SimpleNamespace(exc_value=RuntimeError("a defect"))


@pytest.fixture
def told(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with warnings.catch_warnings():
        yield told


def test_what_comes_late_is_not_told_beside_the_error(told):
    with pytest.raises(OSError, match="full"), checkpoint._errors_told_once():
        raise OSError("full")
    sys.unraisablehook(LATE)
    sys.unraisablehook(OTHER)
    assert told == [OTHER]
    # Of what was not begun yet.
    warnings.warn("coroutine 'a' was never awaited", RuntimeWarning)  # noqa: B028
    with pytest.raises(RuntimeWarning, match="overflow"):
        warnings.warn("overflow", RuntimeWarning)  # noqa: B028


def test_an_interrupt_leaves_nothing_behind(told):
    with pytest.raises(KeyboardInterrupt), checkpoint._errors_told_once():
        raise KeyboardInterrupt
    sys.unraisablehook(LATE)
    assert told == [LATE]


def test_all_is_told_after_what_went_well(told):
    with checkpoint._errors_told_once():
        sys.unraisablehook(OTHER)
    sys.unraisablehook(LATE)
    assert told == [OTHER, LATE]
    with pytest.raises(RuntimeWarning, match="awaited"):
        warnings.warn("coroutine 'a' was never awaited", RuntimeWarning)  # noqa: B028


def test_lines_are_on_the_disk_before_their_digest(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync

    def noted(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("{}\n")
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"a": jnp.zeros(2)}, metrics)
    digest = tmp_path / "checkpoints" / "1" / checkpoint.METRICS
    order = [synced.index(x.stat().st_ino) for x in (metrics, digest)]
    assert order == sorted(order)
