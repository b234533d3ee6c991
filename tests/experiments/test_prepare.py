"""The command, from a user's files to a data set that can be trained on."""

import functools
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import pytest

from arm_jax import data
from tests import commands
from tests.arm_jax.data import food101_tree as tree

for package in ("PIL.Image", "tokenizers", "array_record"):
    pytest.importorskip(package, reason="needs the extra 'media'")
ROOT = Path(__file__).parents[2]


def slurm(index):
    """What SLURM tells one of two processes, of the port, too."""
    # Which JAX takes from the number of the job: 61440 and its last 12 bits.
    return {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(index),
        "SLURM_LOCALID": str(index),
    }


def test_one_of_several_processes_writes_for_tfds(tmp_path):
    options = {
        "path": tree.write(tmp_path / "food"),
        "data_dir": tmp_path / "data",
        "vocabulary": tree.write_vocabulary(tmp_path / "vocab.txt"),
        "short_side": 18,
    }
    given = [f"--config.data.options.{k}={x}" for k, x in options.items()]
    given += ["--processes=1", f"--tfds={tmp_path / 'tfds'}"]
    with futures.ThreadPoolExecutor(2) as threads:
        both = [threads.submit(started, *given, **slurm(n)) for n in range(2)]
        (first, printed, _), (second, other, _) = (x.result() for x in both)
    assert (first, second) == (0, 0)
    assert "24 of 24 files are records" in printed
    assert "as TFDS keeps it" in printed
    assert "TFDS" not in other


COMMAND = ("experiments.prepare", "--config=configs/food101.py")


def started(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", *COMMAND, *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def prepare():
    with commands.sharing("arm_jax.data.food101") as run:
        yield functools.partial(run, *COMMAND)


def test_from_files_to_a_data_set(prepare, tmp_path):
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


def test_errors_are_one_line(prepare, tmp_path):
    status, stdout, stderr = prepare(f"--config.data.options.path={tmp_path}")
    assert (status, stdout) == (2, "")
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert "no UPMC Food-101 in" in line
