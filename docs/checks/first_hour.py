"""What a new user does first, step by step, timed.

    python -m docs.checks.first_hour [--out=FOLDER] [--samples=2000]

From arrays of one's own to an answer, from the answer to its page, from there
to a training and to a loss of one's own. Every step is what the README says;
what it prints is how long each took, and where the pages are. Installing is not
in it: `make wheel` times that.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARRAYS = """
import numpy as np
rng = np.random.default_rng(0)
label = rng.choice(["bird", "cat", "dog", "fish"], size={samples})
code = np.eye(4)[np.unique(label, return_inverse=True)[1]]
noise = lambda width: rng.normal(size=({samples}, width))
np.savez(
    "my.npz",
    image=code @ rng.normal(size=(4, 64)) + 3 * noise(64),
    text=code @ rng.normal(size=(4, 64)) + 4 * noise(64),
    label=label,
)
"""
ANSWER = """
import json, pathlib
found = json.loads(pathlib.Path("runs/quantify_my/results.json").read_text())
for name, pair in found["pairs"].items():
    print("   ", name + ":", pair["recommendation"]["text"])
    value = pair["posteriors"]["value"]
    print("   ", {{key: round(bits, 2) for key, bits in value.items()}})
"""
LOSS = '''
from arm_jax.valuation import at_label


def loss(forward, batch, *, unimodal: float = 0.5):
    """Cross-entropy of the fused prediction and of each modality alone."""
    log_probs = forward.log_probs()
    fused = -at_label(log_probs.full, batch["label"]).mean()
    alone = -at_label(log_probs.alone, batch["label"]).mean(axis=-1)
    return fused + unimodal * alone.sum(), {"alone": alone.mean()}
'''


def main() -> None:
    """Runs the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--samples", type=int, default=2000)
    flags = parser.parse_args()
    folder = flags.out or Path(tempfile.mkdtemp(prefix="first_hour_"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / "my_loss.py").write_text(LOSS, encoding="utf-8")
    python = [sys.executable]
    command = [sys.executable, "-m", "experiments.main"]
    data = "--config.data.options.path=my.npz"
    steps = {
        "own arrays": [*python, "-c", ARRAYS.format(samples=flags.samples)],
        "the answer and its page": [*command, "quantify", "my.npz"],
        "the answer, read from its file": [*python, "-c", ANSWER.format()],
        "a training": [
            *command, "train", "--config=npz:arm", data, "--workdir=runs/arm",
        ],
        "a loss of one's own": [
            *command, "train", "--config=npz:mine.my_loss", data,
            "--config.method.options.unimodal=1.0", "--workdir=runs/own",
        ],
        "what each modality contributes": [
            *command, "valuate", "--workdir=runs/own",
        ],
    }  # fmt: skip
    path = os.pathsep.join([str(ROOT), str(folder)])
    whole = time.monotonic()
    for number, (name, arguments) in enumerate(steps.items(), 1):
        start, before = time.monotonic(), os.times()
        print(f"{number}. {name}", flush=True)
        subprocess.run(
            arguments, check=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        after = os.times()
        used = sum(after[2:4]) - sum(before[2:4])
        print(
            f"   {time.monotonic() - start:.0f} s, of which the processors "
            f"worked {used:.0f} s\n",
            flush=True,
        )
    print(f"all: {time.monotonic() - whole:.0f} s")
    for page in sorted(folder.rglob("*.html")):
        print(page)


if __name__ == "__main__":
    main()
