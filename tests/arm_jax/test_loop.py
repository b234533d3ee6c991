import dataclasses
import itertools
import os
import shutil
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import loop, parallel
from arm_jax.checkpoint import Checkpoints
from arm_jax.errors import InputError, TrainingError
from arm_jax.methods import Copies
from arm_jax.workdir import JsonLines

# 140 examples in batches of 20; from the second epoch on 70 copies more.
EPOCH_ENDS = (7, 17, 27, 37)
LINES = sorted({*EPOCH_ENDS, *range(3, 37, 3)})


def make_config(npz_file: Path, **blocks) -> config_lib.Config:
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_file)},
        },
        "model": {"hidden": (8,), "features": 6, "dropout": 0.2},
        "method": {"name": "arm", "options": {"warmup": 1}},
        "optimizer": {"learning_rate": 1e-2},
        "train": {
            "epochs": 4,
            "log_every": 3,
            "seeds": 2,
            "checkpoint_seconds": 0,
        },
    }
    for name, block in blocks.items():
        mapping[name] = mapping.get(name, {}) | block
    return config_lib.from_mapping(config_lib.Config, mapping)


@pytest.fixture(scope="module")
def run(npz_file):
    return loop.prepare(make_config(npz_file))


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """The outcome and the folder of a run that nothing interrupted."""
    workdir = tmp_path_factory.mktemp("whole")
    return loop.train(run, workdir, progress=False), workdir


@pytest.fixture(scope="module")
def interrupted(run, tmp_path_factory):
    """The folder of a run that was interrupted at step 7."""
    workdir = tmp_path_factory.mktemp("interrupted")
    assert loop.train(run, workdir, stop_after=7, progress=False) is None
    return workdir


def lines(workdir):
    return (workdir / "metrics.jsonl").read_text()


def assert_same_state(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        np.testing.assert_array_equal(x, y)


def test_lines_of_a_run(whole, run):
    records = JsonLines(whole[1] / "metrics.jsonl").read()
    assert {r["seed"] for r in records} == {0, 1}
    records = [r for r in records if r["seed"] == 1]
    train = [r for r in records if r["split"] == "train"]
    assert [r["step"] for r in train] == [
        s for s in range(1, 38) if s % 3 == 0 or s in EPOCH_ENDS
    ]
    validation = [r for r in records if r["split"] == "validation"]
    assert [r["step"] for r in validation] == list(EPOCH_ENDS)
    for key in ("accuracy", "accuracy_loud", "phi_cmi_quiet", "phi_mi"):
        assert key in validation[0]
    for key in ("loss", "gradient_norm", "update_norm", "contribution_gap"):
        assert key in train[0]
    assert train[-1]["cross_entropy"] < train[0]["cross_entropy"]
    assert run.schedule.total == 37


def test_same_seed_gives_the_same_run(whole, run, tmp_path):
    again = loop.train(run, tmp_path, progress=False)
    assert_same_state(again.last, whole[0].last)
    assert lines(tmp_path) == lines(whole[1])


@pytest.mark.parametrize("stop_after", [17, 8])
def test_resumed_run_is_the_uninterrupted_one(whole, run, tmp_path, stop_after):
    # 17 is an epoch's end; 8 is within an epoch, among its copies, and
    # rounds up to line 9.
    assert (
        loop.train(run, tmp_path, stop_after=stop_after, progress=False) is None
    )
    assert JsonLines(tmp_path / "metrics.jsonl").read()[-1]["step"] in (17, 9)
    outcome = loop.train(run, tmp_path, progress=False)
    assert_same_state(outcome.last, whole[0].last)
    assert_same_state(outcome.best, whole[0].best)
    assert lines(tmp_path) == lines(whole[1])


def test_finished_run_is_not_trained_again(whole, run):
    before = lines(whole[1])
    outcome = loop.train(run, whole[1], progress=False)
    assert_same_state(outcome.last, whole[0].last)
    assert lines(whole[1]) == before


def test_best_is_the_earliest_best_epoch_of_each_run(whole, run):
    records = JsonLines(whole[1] / "metrics.jsonl").read()
    for number, seed in enumerate(run.seeds):
        validation = [
            r
            for r in records
            if r["split"] == "validation" and r["seed"] == seed
        ]
        best = max(validation, key=lambda r: (r["accuracy"], -r["step"]))
        of_run = parallel.fetch(whole[0].best)[number]
        assert int(of_run.step) == best["step"]
        score = run.score(whole[0].best.variables, "validation")[number]
        assert score["accuracy"] == best["accuracy"]


def test_lines_after_the_checkpoint_are_written_anew(whole, run, tmp_path):
    loop.train(run, tmp_path, stop_after=7, progress=False)
    # As if the process had been killed two lines after its checkpoint.
    log = JsonLines(tmp_path / "metrics.jsonl")
    for seed in run.seeds:
        log.append({"step": 9, "split": "train", "seed": seed, "loss": 99.0})
    log.path.write_text(log.path.read_text() + '{"step": 12, "spl')
    loop.train(run, tmp_path, progress=False)
    assert lines(tmp_path) == lines(whole[1])


def test_signal_leaves_a_checkpoint(whole, run, tmp_path):
    # Sent as soon as the first line is there.
    def interrupt():
        while not (tmp_path / "metrics.jsonl").exists():
            pause.wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    pause = threading.Event()
    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = loop.train(run, tmp_path, progress=False)
    thread.join()
    if outcome is None:
        with Checkpoints(tmp_path) as checkpoints:
            assert checkpoints.steps()
        outcome = loop.train(run, tmp_path, progress=False)
    assert_same_state(outcome.last, whole[0].last)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def damage(folder: Path) -> None:
    """Cuts every file of a checkpoint in half."""
    for file in (folder / "run").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("seconds", "tick", "told", "expected"),
    [
        (0, 1, lambda due: due, [0, *EPOCH_ENDS]),
        (6, 1, lambda due: due, [0, 17, 37]),
        (3600, 1, lambda due: due, [0, 37]),
        # In a long epoch, not sooner than in ten minutes.
        (6, 130, lambda due: due, [0, *EPOCH_ENDS]),
        (6, 250, lambda due: due, [0, 7, 15, 17, 24, 27, 36, 37]),
        (800, 250, lambda due: due, [0, 9, 18, 30, 37]),
        # What the first process says.
        (3600, 1, lambda due: not due, [0, *LINES]),
    ],
)
def test_short_epochs_share_a_checkpoint_and_long_ones_have_several(
    run, tmp_path, monkeypatch, seconds, tick, told, expected
):
    train = dataclasses.replace(run.config.train, checkpoint_seconds=seconds)
    config = dataclasses.replace(run.config, train=train)
    clock, saved = itertools.count(step=tick), []
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=clock.__next__))
    monkeypatch.setattr(loop.processes, "tell", told)
    monkeypatch.setattr(
        Checkpoints, "save", lambda self, step, *_: saved.append(step)
    )
    loop.train(run._replace(config=config), tmp_path, progress=False)
    assert saved == expected


def test_damaged_checkpoint_falls_back(whole, run, tmp_path, caplog):
    loop.train(run, tmp_path, stop_after=27, progress=False)
    damage(tmp_path / "checkpoints" / "27")
    outcome = loop.train(run, tmp_path, progress=False)
    assert_same_state(outcome.last, whole[0].last)
    assert lines(tmp_path) == lines(whole[1])
    assert (tmp_path / "checkpoints_damaged" / "27_0").is_dir()
    assert "27 is damaged: run/" in caplog.text


def test_a_relative_workdir(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workdir = Path("here")
    workdir.mkdir()
    loop.train(run, workdir, progress=False)
    loop.last_variables(run, workdir)
    assert (workdir / "checkpoints").is_dir()
    assert not (workdir / "checkpoints_damaged").exists()


def test_any_damage_to_any_file_is_noticed(run, interrupted, tmp_path, caplog):
    copy = tmp_path / "a"
    shutil.copytree(interrupted, copy)
    # What is fallen back to takes long to restore, and is tested above.
    shutil.rmtree(copy / "checkpoints" / "0")
    folder = copy / "checkpoints" / "7"
    files = [f for f in folder.rglob("*") if f.is_file() and f.stat().st_size]
    files = [f for f in files if f.name != "digests.json"]
    assert len(files) > 5
    start = run.initial()
    with Checkpoints(copy) as checkpoints:
        for file in files:
            whole = file.read_bytes()
            flipped = bytearray(whole)
            flipped[len(whole) // 2] ^= 1
            for content in (flipped, whole[:-1], None):
                if content is None:
                    file.unlink()
                else:
                    file.write_bytes(content)
                caplog.clear()
                with pytest.raises(InputError, match="every checkpoint in"):
                    checkpoints.restore_latest(start, set_aside=False)
                name = file.relative_to(folder).as_posix()
                assert f"7 is damaged: {name}" in caplog.text
            file.write_bytes(whole)
        step, _ = checkpoints.restore_latest(start, set_aside=False)
    assert step == 7


def test_checkpoint_without_digests_is_used_if_it_can_be_read(
    whole, run, interrupted, tmp_path
):
    # Killed between the checkpoint and its digests.
    shutil.copytree(interrupted, tmp_path / "a")
    (tmp_path / "a" / "checkpoints" / "7" / "digests.json").unlink()
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    loop.train(run, tmp_path / "a", progress=False)
    assert lines(tmp_path / "a") == lines(whole[1])
    shutil.copytree(interrupted, tmp_path / "b")
    (tmp_path / "b" / "checkpoints" / "7" / "digests.json").unlink()
    damage(tmp_path / "b" / "checkpoints" / "7")
    with Checkpoints(tmp_path / "b") as checkpoints:
        assert checkpoints.restore_latest(run.initial())[0] == 0
    # Overwritten by something else that is JSON.
    (tmp_path / "c" / "checkpoints" / "7" / "digests.json").write_text("[1]")
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore_latest(run.initial())[0] == 7


def test_digests_that_a_kill_has_cut_off_are_written_by_who_goes_on(
    run, interrupted, tmp_path
):
    shutil.copytree(interrupted, tmp_path / "a")
    folder = tmp_path / "a" / "checkpoints" / "7"
    digests = folder / "digests.json"
    written = digests.read_text(encoding="utf-8")
    begun = digests.rename(folder / "digests.json.tmp")
    with Checkpoints(tmp_path / "a") as checkpoints:
        # Whoever only reads changes nothing.
        checkpoints.restore_latest(run.initial(), set_aside=False)
        assert begun.exists()
        assert not digests.exists()
        step, _ = checkpoints.restore_latest(run.initial())
    assert step == 7
    assert not begun.exists()
    assert digests.read_text(encoding="utf-8") == written


def test_all_damaged_is_an_error_and_nothing_is_lost(
    run, interrupted, tmp_path
):
    workdir = tmp_path / "run"
    shutil.copytree(interrupted, workdir)
    for step in ("0", "7"):
        damage(workdir / "checkpoints" / step)
    before = lines(workdir)
    with pytest.raises(InputError, match="every checkpoint in .* is damaged"):
        loop.last_variables(run, workdir)
    # Whoever only reads moves nothing.
    assert (workdir / "checkpoints" / "7").is_dir()
    assert not (workdir / "checkpoints_damaged").exists()
    with pytest.raises(InputError, match="they are now in .*points_damaged"):
        loop.train(run, workdir, progress=False)
    # And again: it does not start at step 0 by itself.
    with pytest.raises(
        InputError, match="metrics up to step 7 and damaged .*another workdir"
    ):
        loop.train(run, workdir, progress=False)
    (workdir / "metrics.jsonl").unlink()
    with pytest.raises(InputError, match="has damaged checkpoints in"):
        loop.train(run, workdir, progress=False)
    assert (workdir / "checkpoints_damaged" / "7_0").is_dir()
    # Moved back from a copy, it goes on.
    shutil.copytree(interrupted, workdir, dirs_exist_ok=True)
    assert loop.train(run, workdir, progress=False) is not None
    assert lines(workdir)[: len(before)] == before


def test_metrics_without_checkpoints_are_not_written_over(
    run, interrupted, tmp_path
):
    shutil.copytree(interrupted, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    before = lines(tmp_path / "run")
    with pytest.raises(InputError, match="metrics up to step 7, but no check"):
        loop.train(run, tmp_path / "run", progress=False)
    assert lines(tmp_path / "run") == before


def test_checkpoint_that_does_not_fit_is_not_called_damaged(
    run, interrupted, npz_file, tmp_path
):
    workdir = tmp_path / "run"
    shutil.copytree(interrupted, workdir)
    wider = loop.prepare(make_config(npz_file, model={"features": 7}))
    before = {f: f.read_bytes() for f in workdir.rglob("*") if f.is_file()}
    with pytest.raises(
        InputError,
        match=r"7 is whole but does not fit .*loud/Dense_1/bias is "
        r"float32\[2, 6\] there, float32\[2, 7\] now.*and \d+ more",
    ):
        loop.train(wider, workdir, progress=False)
    after = {f: f.read_bytes() for f in workdir.rglob("*") if f.is_file()}
    assert after == before


def test_other_random_keys_do_not_fit(run, interrupted, npz_file, tmp_path):
    shutil.copytree(interrupted, tmp_path / "run")
    with jax.default_prng_impl("rbg"):
        other = loop.prepare(make_config(npz_file))
        with pytest.raises(
            InputError, match=r"uint32\[2, 2\] there, uint32\[2, 4"
        ):
            loop.train(other, tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "checkpoints_damaged").exists()


def test_doubled_lines_are_dropped(whole, run, interrupted, tmp_path):
    # As two processes left them, before there was a lock.
    shutil.copytree(interrupted, tmp_path / "run")
    file = tmp_path / "run" / "metrics.jsonl"
    doubled = [2 * line for line in file.read_text().splitlines(keepends=True)]
    file.write_text("".join(doubled))
    loop.train(run, tmp_path / "run", progress=False)
    assert lines(tmp_path / "run") == lines(whole[1])


def test_altered_lines_are_noticed(run, interrupted, tmp_path):
    shutil.copytree(interrupted, tmp_path / "run")
    file = tmp_path / "run" / "metrics.jsonl"
    text = file.read_text()
    for altered in (text.replace("0.", "1.", 1), text.partition("\n")[2]):
        file.write_text(altered)
        with pytest.raises(InputError, match="not as it was written up to st"):
            loop.train(run, tmp_path / "run", progress=False)


def test_loss_that_is_not_finite_names_the_step(npz_file, tmp_path):
    config = make_config(
        npz_file, method={"name": "tests.arm_jax.nan_loss", "options": {}}
    )
    run = loop.prepare(config)
    with pytest.raises(
        TrainingError, match=r"loss is nan at step 10 \(seed 0\)"
    ):
        loop.train(run, tmp_path, progress=False)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [0, 7]
        _, snapshot = checkpoints.restore_latest(run.initial())
    for leaf in jax.tree.leaves(snapshot.state.variables):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"data": {"batch_size": 21}}, "data.batch_size 21 is not divisible"),
        ({"data": {"batch_size": 142}}, "142 is larger than the training"),
        (
            {"train": {"eval_batch_size": 33}},
            "train.eval_batch_size 33 is not divisible",
        ),
        ({"optimizer": {"name": "lion"}}, "unknown optimizer.name 'lion'"),
        ({"optimizer": {"schedule": "step"}}, "optimizer.schedule 'step'"),
        ({"method": {"name": "amr"}}, "unknown method 'amr'"),
        ({"data": {"name": "wotch"}}, "unknown data set 'wotch'"),
    ],
)
def test_bad_configurations(npz_file, blocks, message):
    with pytest.raises(InputError, match=message):
        loop.prepare(make_config(npz_file, **blocks))


@pytest.mark.parametrize(
    ("row", "mask", "message"),
    [
        (range(70), np.zeros((70, 2)), "has every modality masked"),
        (range(71), np.ones((71, 2)), "70 copies of 2 modalities"),
        ([140, *range(69)], np.ones((70, 2)), r"copy 0, row 140, .*0\.\.139"),
        (range(70), np.full((70, 2), 0.5), "mask other than 0 and 1"),
        (None, None, "no copies; 70 copies were announced"),
    ],
)
def test_copies_that_no_step_can_use(run, tmp_path, row, mask, message):
    class Copying(type(run.method)):
        def starts(self):
            return 0

        def begin_epoch(self, epoch):
            return None if row is None else Copies(np.asarray(row), mask)

    with pytest.raises(InputError, match=message):
        loop.train(run._replace(method=Copying()), tmp_path, progress=False)


def test_methods_that_need_all_modalities_say_so(npz_arrays, tmp_path):
    path = tmp_path / "lacking.npz"
    np.savez(path, **npz_arrays, present_loud=np.arange(240) % 3 > 0)
    message = "config method.name: 'arl' is not .* that lack .*; .* arm,"
    assert loop.prepare(make_config(path)).method.replay
    with pytest.raises(InputError, match=message):
        loop.prepare(make_config(path, method={"name": "arl"}))


def test_schedule_by_hand():
    schedule = loop.Schedule(epochs=4, warmup=2, copies=9, plain=3, copying=5)
    assert [schedule.steps_before(e) for e in range(5)] == [0, 3, 6, 11, 16]
    assert schedule.total == 16
    steps = range(16)
    assert [schedule.epoch_of(s) for s in steps] == [0] * 3 + [1] * 3 + (
        [2] * 5 + [3] * 5
    )
