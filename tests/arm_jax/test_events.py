import struct

import pytest

from arm_jax import events
from arm_jax.errors import InputError

LINES = [
    {"step": 3, "split": "train", "seed": 0, "loss": 0.5},
    {"step": 3, "split": "validation", "seed": 0, "loss": None, "accuracy": 1},
    {"step": 6, "split": "train", "seed": 0, "loss": 0.25},
]


def read(folder):
    """Steps, tags and values, from the records of the files themselves."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for file in sorted(folder.iterdir()):
        rest = file.read_bytes()
        while rest:
            (size,) = struct.unpack("<Q", rest[:8])
            event = event_pb2.Event.FromString(rest[12 : 12 + size])
            rest = rest[16 + size :]
            found += [
                (event.step, v.tag, v.simple_value) for v in event.summary.value
            ]
    return found


def test_events_are_the_lines(tmp_path):
    pytest.importorskip("tensorboardX")
    log = events.EventLines(tmp_path / "metrics.jsonl")
    for line in LINES:
        log.append(line)
    assert log.read() == LINES
    folder = tmp_path / events.FOLDER
    train, validation = folder / "seed_0_train", folder / "seed_0_validation"
    assert read(train) == [(3, "loss", 0.5), (6, "loss", 0.25)]
    assert read(validation) == [(3, "accuracy", 1)]
    # A run that goes on from step 3 forgets what came behind it.
    again = events.EventLines(tmp_path / "metrics.jsonl")
    again.keep(LINES[:2])
    again.append(LINES[2] | {"loss": 0.125})
    assert read(train) == [(3, "loss", 0.5), (6, "loss", 0.125)]


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(events.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"arm-jax\[tensorboard\]"):
        events.EventLines(tmp_path / "metrics.jsonl")
