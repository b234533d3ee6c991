"""Two processes of one device each, against one process of two devices."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from arm_jax import launch
from arm_jax.errors import InputError
from arm_jax.studies.training import fit
from arm_jax.workdir import JsonLines
from tests.arm_jax import together

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def pair(npz_file, tmp_path_factory):
    """The folder of two processes, what each found, and what they printed."""
    folder = tmp_path_factory.mktemp("pair")
    coordinator = f"127.0.0.1:{free_port()}"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.arm_jax.together"]
            + [coordinator, str(index), str(folder), str(npz_file)],
            cwd=ROOT,
            env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for index in range(2)
    ]
    printed = [process.communicate(timeout=100)[1] for process in started]
    found = [
        json.loads((folder / f"found{index}.json").read_text())
        for index in range(2)
    ]
    return folder, found, printed, [p.returncode for p in started]


@pytest.fixture(scope="module")
def single(npz_file, pair, tmp_path_factory):
    """The folder of the same runs in this process."""
    assert jax.local_device_count() == 2
    folder = tmp_path_factory.mktemp("single")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together.training_report, "write", lambda *_: None)
        # Begun by two processes, and ended by this one.
        shutil.copytree(pair[0] / "joint", folder / "resumed")
        for method, name in (
            ("joint", "resumed"),
            ("joint", "joint"),
            ("arm", "arm"),
        ):
            fit(
                together.config(npz_file, method),
                folder / name,
                progress=False,
                describe=False,
            )
    return folder


def test_what_they_tell_each_other(pair):
    _, found, _, _ = pair
    bits = np.float32([0, -0.0, np.nan]).tobytes().hex()
    for of_process in found:
        assert of_process["gather"] == [{"index": 0}, {"index": 1}]
        assert of_process["tell"] == "from 0"
        assert of_process["anyone"] == [True, False]
        assert of_process["share"] == [bits, [0, 0, 0]]
        assert of_process["lines"] == [
            {"part": n, "by": n % 2} for n in range(5)
        ]
        odd = of_process["odd"]
        assert odd.startswith("process 1 on "), odd
        assert '"of 1" (elsewhere "of 0"): all processes need the same' in odd
        assert of_process["indivisible"].endswith("2 devices of 2 processes")
    # One process writes.
    log = JsonLines(pair[0] / "lines.jsonl").read()
    assert [line["part"] for line in log] == list(range(5))


@pytest.mark.parametrize("method", ["joint", "arm"])
def test_bits_are_those_of_one_process(pair, single, method):
    one = single / method
    two = pair[0] / "arm" if method == "arm" else single / "resumed"
    logs = [JsonLines(f / "metrics.jsonl").read() for f in (two, one)]
    assert len(logs[0]) == len(logs[1]) > 0
    for line, expected in zip(*logs, strict=True):
        assert line == expected
    of_pair, of_single = (
        json.loads((folder / "results.json").read_text())["runs"]
        for folder in (two, one)
    )
    last = [runs[0]["test"]["last"] for runs in (of_pair, of_single)]
    assert last[0] == last[1]


def test_a_signal_to_one_stops_both_and_nothing_is_lost(pair):
    folder, found, _, _ = pair
    assert [each["joint"] for each in found] == [None, None]
    assert [each["interrupted"] for each in found] == [None, None]
    results = json.loads((folder / "arm" / "results.json").read_text())
    assert [each["arm"]["runs"] for each in found] == [results["runs"]] * 2
    record = JsonLines(folder / "arm" / "record.jsonl").read()
    assert [line["event"] for line in record] == ["begin", "resume", "finish"]
    assert [line["process_count"] for line in record] == [2, 2, 2]


def test_who_is_killed_is_named_by_the_other(pair):
    _, _, printed, status = pair
    assert status == [1, -9]
    (line,) = [x for x in printed[0].splitlines() if x.startswith("error: ")]
    assert line.startswith("error: process 1 on ")
    assert "is gone: it was killed" in line
    assert "Traceback" not in printed[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None, 2, 0), "--coordinator is missing"),
        (("here:1", None, 0), "--processes is missing"),
        (("here", 2, 0), "--coordinator=here is not HOST:PORT"),
        (("here:0", 2, 0), "--coordinator=here:0 is not HOST:PORT"),
        (("here:1", 0, 0), "--processes=0 must be at least 1"),
        (("here:1", 2, 2), r"--process=2 is outside 0\.\.1"),
    ],
)
def test_flags_that_do_not_fit(given, message):
    with pytest.raises(InputError, match=message):
        launch.start(*given)


def test_launchers(monkeypatch):
    assert launch._of_environment() == 1
    assert not launch.announced(["train", "--workdir=x"])
    assert launch.announced(["train", "--process=0"])
    for name in ("JOB_ID", "STEP_NODELIST", "LOCALID", "PROCID"):
        monkeypatch.setenv(f"SLURM_{name}", "0")
    # A shell of one task, as `srun --pty`.
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert launch._of_environment() == 1
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert launch._of_environment() == 8
    assert launch.announced(["train"])


def test_an_open_mpi_that_says_not_where_to_meet(monkeypatch):
    monkeypatch.setattr(launch, "_on_tpu", lambda: False)
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", "0")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "1")
    launch.start()
    assert not launch.announced(["train"])
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert launch.announced(["train"])
    with pytest.raises(
        InputError, match="4 proc.*--coordinator=HOST:PORT, --p"
    ):
        launch.start()
    # On request, each for itself.
    launch.start(processes=1)
    monkeypatch.setenv("OMPI_MCA_orte_hnp_uri", "1.0;tcp://127.0.0.1:1")
    assert launch._unconnected() == 1
    assert launch._of_environment() == 4
