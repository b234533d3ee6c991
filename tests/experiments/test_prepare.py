"""The command, from a user's files to a data set that can be trained on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arm_jax import data
from tests.arm_jax.data import food101_tree as tree

for package in ("PIL.Image", "tokenizers", "array_record"):
    pytest.importorskip(package, reason="needs the extra 'media'")
ROOT = Path(__file__).parents[2]


def prepare(*arguments):
    command = [sys.executable, "-m", "experiments.prepare", *arguments]
    done = subprocess.run(
        [*command, "--config=configs/food101.py"],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_from_files_to_a_data_set(tmp_path):
    root = tree.write(tmp_path / "food")
    out = tmp_path / "data"
    options = {
        "path": root,
        "data_dir": out,
        "vocabulary": tree.write_vocabulary(tmp_path / "vocab.txt"),
        "short_side": 18,
    }
    given = [f"--config.data.options.{k}={x}" for k, x in options.items()]
    status, stdout, _ = prepare(*given, "--dry_run")
    assert (status, out.exists()) == (0, False)
    assert "train: 18 images with a title\ntest: 6 images" in stdout
    tfds = tmp_path / "tfds"
    status, stdout, stderr = prepare(*given, "--processes=1", f"--tfds={tfds}")
    assert status == 0
    assert f"as TFDS keeps it: {tfds / 'food101' / '1.0.0'}\n" in stdout
    assert f"24 of 24 files are records in {out / 'food101'} (data " in stdout
    # The bar, with the time that is left.
    assert "food101: 100%" in stderr
    del options["path"]
    sizes = {"size": 16, "validation": 0.3}
    dataset = data.load("food101", options | sizes)
    assert len(dataset.splits["train"]) == 12


def test_errors_are_one_line(tmp_path):
    status, stdout, stderr = prepare(f"--config.data.options.path={tmp_path}")
    assert (status, stdout) == (2, "")
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert "no UPMC Food-101 in" in line
