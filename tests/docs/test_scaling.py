import pytest

from docs.checks import scaling
from docs.checks.scaling import ASSUMED, Constants, seconds


def test_a_step_on_one_device_computes():
    step = Constants(compute=0.1, gradients=1e9, messages=9, example=0.0)
    found = seconds(1, step)
    assert found["averaging"] == 0
    assert found["step"] == 0.1


def test_a_step_by_hand():
    step = Constants(compute=0.1, gradients=8e8, messages=2, example=0.01)
    found = seconds(8, step)
    averaging = 2 * 7 / 8 * 8e8 / ASSUMED["bytes/s within"]
    averaging += 2 * 3 * ASSUMED["latency"]
    assert found["averaging"] == pytest.approx(averaging)
    assert found["step"] == pytest.approx(0.1 + averaging)
    # Between machines the wire is slower, and reading is not: each has its own.
    more = seconds(256, step)
    assert more["averaging"] > 5 * found["averaging"]
    assert more["reading"] == found["reading"] == 8 * 64 * 0.01 / 128
    # Whoever waits for what is read, waits.
    slow = seconds(
        8, Constants(compute=0.1, gradients=8e8, messages=2, example=1.0)
    )
    assert slow["step"] == slow["reading"] == 4.0


def test_rows_of_measurements(monkeypatch):
    monkeypatch.setattr(scaling, "pair", lambda: (22_000_000, 82))
    lines = [
        {"part": "flops", "method": "joint", "flops": 3.5e12},
        {"part": "loader", "clips/s": 1600.0},
        {"part": "steps", "method": "joint", "dtype": "bfloat16",
         "device": 0.02, "device kind": "H100"},
        {"part": "steps", "method": "arm", "dtype": "bfloat16",
         "device": 0.03, "device kind": "H100"},
    ]  # fmt: skip
    found = scaling.results(lines)
    assert found["device"] == "H100"
    assert list(found["steps"]) == [
        "ResNet-18 pair, bfloat16",
        "BERT + ViT, bfloat16, from operations",
    ]
    constants = found["constants"]["ResNet-18 pair, bfloat16"]
    assert constants["example"] == pytest.approx(0.01)
    assert len(scaling.table(found).splitlines()) == 2 + 2 * 7
