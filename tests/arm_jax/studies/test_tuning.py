import json
import sys
import types

import numpy as np
import pytest

from arm_jax import methods, processes, steps
from arm_jax.errors import InputError
from arm_jax.methods import joint
from arm_jax.reports import tuning as tuning_report
from arm_jax.studies import comparison, tuning
from arm_jax.studies.comparison import compare, run_folder
from configs import common, npz
from experiments import cli


@pytest.mark.parametrize("name", methods.names())
def test_each_method_has_its_budget(name):
    options = methods.default_options(name)
    points = methods.grid(name, options)
    # Six for all, and the first one is the default.
    assert len(points) == methods.MOST_POINTS
    first = dict(points[0])
    assert first.pop(methods.RATE) == 1
    assert first.items() <= options.items()
    for point in points:
        changed = {k: x for k, x in point.items() if k != methods.RATE}
        methods.create(name, options | changed)
    assert len({tuple(p.items()) for p in points}) == len(points)


def test_a_configured_value_is_the_first_point():
    values = lambda now: [
        p["unimodal"]
        for p in methods.grid("uniform", {"unimodal": now})
        if p[methods.RATE] == 1
    ]
    assert values(1.0) == [1.0, 0.3, 3.0]
    assert values(3.0) == [3.0, 1.0, 0.3]
    assert values(16.0) == [16.0, 1.0, 0.3]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"weight": (1.0,)}, "has no option 'weight' to tune"),
        ({"learning_rate": range(7)}, "declares 7 points to tune; .* 6 at mo"),
    ],
)
def test_bad_grids(monkeypatch, declared, message):
    module = types.ModuleType("tests.arm_jax.made_up")
    module.loss, module.TUNED = joint.loss, declared
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(InputError, match=message):
        methods.grid(module.__name__, {})
    del module.TUNED
    assert [p[methods.RATE] for p in methods.grid(module.__name__, {})] == [
        1.0, 0.3, 3.0
    ]  # fmt: skip


def test_points_by_hand():
    run = {
        "method": {"name": "uniform", "options": {"unimodal": 1.0}},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "train": {"epochs": 3},
    }
    points = tuning.points(run)
    assert list(points)[:3] == [
        "as configured", "learning rate x3", "unimodal=0.3"
    ]  # fmt: skip
    assert points["as configured"] == run
    other = points["unimodal=3.0, learning rate x3"]
    assert other["method"]["options"] == {"unimodal": 3.0}
    assert other["optimizer"]["learning_rate"] == pytest.approx(0.3)
    assert other["train"] == run["train"]


def test_points_are_named_by_what_they_change_of_defaults():
    run = {
        "method": {"name": "uniform", "options": {}},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
    }
    points = tuning.points(run)
    assert len(points) == methods.MOST_POINTS
    given = methods.default_options("uniform")
    options = {k: x["method"]["options"] for k, x in points.items()}
    assert options["as configured"]["unimodal"] == given["unimodal"]
    assert options["unimodal=3.0"]["unimodal"] == 3.0


def test_choice_by_hand():
    accuracy = np.array([[0.5, 0.5, 0.5], [0.75, 0.5, 0.5], [0.5, 0.25, 0.5]])
    loss = np.array([[1.0, 2.0, 3.0], [9.0, 1.0, 3.0], [0.0, 0.0, np.inf]])
    # The most accurate, of two the smaller loss, of those the first.
    np.testing.assert_array_equal(tuning.choose(accuracy, loss), [1, 1, 0])
    # A score that is not finite is not chosen where another one is.
    accuracy[0, 0] = np.nan
    np.testing.assert_array_equal(tuning.choose(accuracy, loss), [1, 1, 0])
    accuracy[[0, 1], [1, 1]] = np.nan, 0.9
    assert tuning.choose(accuracy, loss)[1] == 1
    # The most accurate, though its loss is infinite.
    loss[1, 1] = np.inf
    assert tuning.choose(accuracy, loss)[1] == 1


def test_table_by_hand():
    def choice(point, validation, test):
        return {
            "point": point,
            "validation": dict(zip("ab", validation, strict=True)),
            "test": dict(zip("ab", test, strict=True)),
        }

    choices = [
        choice("b", (0.5, 0.6), (0.5, 0.52)),
        choice("a", (0.7, 0.6), (0.5, 0.1)),
        choice("b", (0.3, 0.9), (0.5, 0.54)),
    ]
    row = tuning_report.table({"umt": choices}).splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    # Means 50 and 70 on validation; 2, 0 and 4 points on test, sd 2.
    assert cells == ["umt", "2", "b: 2; a: 1", "20.0", "+2.0 [-3.0, +7.0]"]
    plain = tuning_report.table({"umt": choices}, on_test=False)
    assert "gained" not in plain
    # As JSON has it, read back.
    choices[0]["test"]["a"] = choices[0]["validation"]["a"] = None
    row = tuning_report.table({"umt": choices}).splitlines()[-1]
    assert "+nan [+nan, +nan]" in row


@pytest.fixture(scope="module")
def tuned(npz_file, tmp_path_factory):
    """Folder of two methods that are tuned, its results, and whose steps.

    They are of two points each, and one learning rate is hopeless.
    """
    training = npz.get_config()
    training.data.options.path = str(npz_file)
    training.data.batch_size = 70
    training.train.epochs = 2
    training.optimizer.learning_rate = 1e-6
    config = cli.to_dict(common.comparison(training, seeds=2, tuned=True))
    config["runs"] = {k: config["runs"][k] for k in ("joint", "uniform")}
    config["groups"] = [("Methods", ("joint",)), ("Other", ("uniform",))]
    folder = tmp_path_factory.mktemp("tuned")
    made, make = [], steps.make

    def noted(config, *arguments):
        made.append(config.method.name)
        return make(config, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint, "TUNED", {methods.RATE: (1.0, 3e4)})
        patch.setattr(steps, "make", noted)
        results = compare(config, folder, progress=False)
        yield folder, results, config, made


def test_a_tuned_comparison(tuned):
    folder, results, config, made = tuned
    # The groups behind the first are about options as they are.
    assert list(results) == ["joint"]
    # Both learning rates have them.
    assert made == ["joint"]
    own = run_folder(folder, "joint", "all")
    assert not list(own.rglob("report.*"))
    points = [
        json.loads((own / f"point_{k}" / "results.json").read_text())
        for k in range(2)
    ]
    assert not (own / "point_2").exists()
    summary = json.loads((folder / "summary.json").read_text())
    for seed, (run, choice) in enumerate(
        zip(results["joint"]["runs"], summary["tuning"]["joint"], strict=True)
    ):
        names = list(choice["validation"])
        assert names == ["as configured", "learning rate x30000"]
        assert choice["seed"] == run["seed"] == seed
        # By its own validation, and nothing of the test split.
        assert choice["point"] == run["point"] == names[1]
        scores = [
            [
                line["accuracy"]
                for line in map(
                    json.loads,
                    (own / f"point_{k}/metrics.jsonl").read_text().splitlines(),
                )
                if line["split"] == "validation" and line["seed"] == seed
            ][-1]
            for k in range(2)
        ]
        assert list(choice["validation"].values()) == scores
        assert run["test"] == points[1]["runs"][seed]["test"]
        lines = (own / f"chosen_{seed}.jsonl").read_text().splitlines()
        assert {json.loads(line)["seed"] for line in lines} == {seed}
    table = (folder / "table.md").read_text()
    assert "## Tuning" in table
    assert "learning rate x30000: 2" in table
    # Figures are those of what was chosen.
    assert "methods_gap.svg" in table


def test_a_tuned_comparison_is_not_repeated(tuned):
    folder, results, config, _ = tuned
    file = run_folder(folder, "joint", "all") / "point_1" / "results.json"
    stamp = file.stat().st_mtime_ns
    again = compare(config, folder, progress=False)
    assert again["joint"]["runs"] == results["joint"]["runs"]
    assert file.stat().st_mtime_ns == stamp


def test_the_process_that_has_the_folder_chooses(
    npz_file, tmp_path, monkeypatch
):
    training = npz.get_config()
    training.data.options.path = str(npz_file)
    config = cli.to_dict(common.comparison(training, seeds=1, tuned=True))
    config["runs"] = {"joint": config["runs"]["joint"]}
    config["groups"] = [("Methods", ("joint",))]
    trained = {"method": "joint", "runs": [{"seed": 0}]}
    monkeypatch.setattr(comparison, "fit", lambda *_, **__: dict(trained))
    # In another process, which sees no file of the workdir.
    monkeypatch.setattr(processes, "leads", lambda: False)
    told = [{"seed": 0, "point": "the best"}], []
    monkeypatch.setattr(processes, "tell", lambda x: told if x is None else x)
    found = compare(config, tmp_path / "not_here", progress=False)
    assert found["joint"]["runs"][0]["point"] == "the best"
    assert not (tmp_path / "not_here").exists()


def test_metrics_that_lack_a_seed(tmp_path):
    line = {"split": "validation", "seed": 0, "accuracy": 0.5, "loss": None}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    accuracy, loss = tuning.on_validation(tmp_path, [0])
    assert accuracy == [0.5]
    assert loss == [np.inf]
    with pytest.raises(InputError, match="lacks the validation of some seeds"):
        tuning.on_validation(tmp_path, [0, 1])


def test_nothing_to_tune(tmp_path):
    config = cli.to_dict(common.comparison(npz.get_config(), 1, tuned=True))
    config["groups"] = []
    with pytest.raises(InputError, match="config tuned: .* no groups"):
        compare(config, tmp_path)
