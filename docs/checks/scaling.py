"""How long a training step takes on many devices, from measured constants.

    python -m docs.checks.scaling --gpu=gpu.jsonl --clips=243 \
        --out=docs/results/scaling.json

Each device has its own batch, as large as on one. A step takes as long as the
slowest of two that overlap: computing and then averaging the gradients, or
reading what the next step needs. `gpu.jsonl` is what `docs.checks.gpu` leaves;
`--clips` is how many a processor reads in a second (`docs.checks.clip_speed`),
where that was not measured beside the GPU. What no measurement here gives is in
`ASSUMED`, and said to be.
"""

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jax

from arm_jax.config import ModelConfig
from arm_jax.models import create_model
from arm_jax.reports.pieces import markdown_table
from arm_jax.workdir import write_json

DEVICES = (1, 2, 4, 8, 16, 64, 256)
# Of machines with eight H100: bytes a second that a device sends in a ring,
# within a machine (NVLink) and between machines (one port of 400 Gb/s for each
# device), as the makers have them, less a fifth; seconds of a message.
ASSUMED = {
    "devices of a machine": 8,
    "bytes/s within": 0.8 * 450e9,
    "bytes/s between": 0.8 * 50e9,
    "latency": 20e-6,
    "processors of a machine": 128,
}
_BATCH, _CLASSES, _TOKENS = 64, 31, 40
# Those that a rate of the loader is measured with.
_WORKERS = 16


@dataclasses.dataclass(frozen=True)
class Constants:
    """What a step is made of.

    Attributes:
      compute: Seconds that a device needs for its batch.
      gradients: Bytes that are averaged.
      messages: Collectives of a step that wait for each other.
      example: Seconds of a processor for one example; 0 if nothing is decoded.
    """

    compute: float
    gradients: float
    messages: int
    example: float


def seconds(devices: int, step: Constants) -> dict[str, float]:
    """Returns the parts of a step on so many devices, and the whole, seconds.

    A ring sends 2 (n - 1) / n of the bytes over its slowest link; a message
    takes log2(n) turns.
    """
    machine = int(ASSUMED["devices of a machine"])
    slowest = "within" if devices <= machine else "between"
    share = 2 * (devices - 1) / devices
    wire = share * step.gradients / ASSUMED[f"bytes/s {slowest}"]
    turns = math.ceil(math.log2(devices)) if devices > 1 else 0
    waits = step.messages * turns * ASSUMED["latency"]
    hands = ASSUMED["processors of a machine"]
    reading = min(devices, machine) * _BATCH * step.example / hands
    averaging = wire + waits
    return {
        "computing": step.compute,
        "averaging": averaging,
        "reading": reading,
        "step": max(step.compute + averaging, reading),
    }


def parameters(encoders: dict[str, Any], shapes: dict[str, Any]) -> int:
    """Returns the number of parameters of a model."""
    config = ModelConfig(encoders=encoders)
    model = create_model(config, shapes, _CLASSES)
    shaped, _ = jax.eval_shape(model.init, jax.random.key(0))
    return sum(math.prod(x.shape) for x in jax.tree.leaves(shaped))


def pair() -> tuple[int, int]:
    """Parameters of the ResNet-18 pair, and collectives of its step.

    Each normalisation averages once in either direction; gradients and metrics
    go in two messages more.
    """
    encoder = {"name": "resnet18", "features": 0}
    count = parameters(
        {"audio": encoder, "video": encoder},
        {"audio": (1024, 128, 1), "video": (3, 224, 224, 3)},
    )
    return count, 2 * 2 * 20 + 2


def large() -> tuple[int, float]:
    """Parameters of BERT and ViT-B/16, and operations of an example.

    Six for each parameter and token: two forward, four backward.
    """
    bert, vit = 110e6, 86e6
    return int(bert + vit), 6 * (85e6 * _TOKENS + 86e6 * 197)


def of_measurements(lines: list[dict[str, Any]]) -> dict[str, Constants]:
    """Returns the constants of each model and type of numbers."""
    found: dict[str, Constants] = {}
    rates = [x["clips/s"] / _WORKERS for x in lines if x["part"] == "loader"]
    example = 1 / max(rates) if rates else 0.0
    flops = next((x["flops"] for x in lines if x["part"] == "flops"), 3.5e12)
    count, messages = pair()
    both, operations = large()
    for line in lines:
        if line["part"] != "steps" or line["method"] != "joint":
            continue
        dtype, compute = line["dtype"], line["device"]
        found[f"ResNet-18 pair, {dtype}"] = Constants(
            compute, 4 * count, messages, example
        )
        # At the speed that the pair reaches.
        speed = flops / compute
        found[f"BERT + ViT, {dtype}, from operations"] = Constants(
            _BATCH * operations / speed, 4 * both, 2, 0.0
        )
    return found


def results(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns constants, and the steps on each number of devices."""
    constants = of_measurements(lines)
    return {
        "assumed": ASSUMED,
        "batch": _BATCH,
        "device": next(
            (x["device kind"] for x in lines if x["part"] == "steps"), ""
        ),
        "constants": {k: dataclasses.asdict(c) for k, c in constants.items()},
        "steps": {
            name: {str(n): seconds(n, step) for n in DEVICES}
            for name, step in constants.items()
        },
    }


def table(found: dict[str, Any]) -> str:
    """One row per model and number of devices: ms, and what it is of ideal."""
    rows = []
    for name, steps in found["steps"].items():
        alone = steps["1"]["computing"]
        for devices, step in steps.items():
            parts = ("computing", "averaging", "reading", "step")
            cells = [f"{1e3 * step[part]:.1f}" for part in parts]
            rows.append([name, devices, *cells, f"{alone / step['step']:.0%}"])
    header = ["model", "devices", "computing, ms", "averaging", "reading"]
    return markdown_table([*header, "step", "of ideal"], rows)


def main() -> None:
    """Writes the results, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpu", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=float, default=0.0)
    given = parser.parse_args()
    text = given.gpu.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    if given.clips:
        lines.append({"part": "loader", "clips/s": _WORKERS * given.clips})
    found = results(lines)
    write_json(given.out, found)
    print(table(found))


if __name__ == "__main__":
    main()
