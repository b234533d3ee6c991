import json
import shutil
import sys
import types

import numpy as np
import pytest

from arm_jax import record
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions
from arm_jax.methods import Method
from arm_jax.reports import comparison_scores, scores
from arm_jax.reports.comparison import (
    Curves,
    alone_table,
    summarize,
    tables,
    variants_table,
    write,
)
from arm_jax.reports.comparison_words import introduction
from arm_jax.reports.pieces import difference, holm, paired
from arm_jax.reports.valuation import summary_table
from arm_jax.studies import valuation
from arm_jax.studies.comparison import compare, run_folder
from arm_jax.studies.valuation import valuate
from arm_jax.valuation import Subsets
from arm_jax.workdir import JsonLines
from configs import common, npz
from experiments import cli


def small_config(npz_file):
    training = npz.get_config()
    training.data.options.path = str(npz_file)
    training.data.batch_size = 20
    training.train.epochs = 2
    config = cli.to_dict(common.comparison(training, seeds=2))
    config["runs"] = {k: config["runs"][k] for k in ("joint", "uniform")}
    config["groups"] = [("Methods", ("joint", "uniform"))]
    return config


@pytest.fixture(scope="module")
def finished(npz_file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("compare")
    return compare(small_config(npz_file), workdir, progress=False), workdir


def test_what_a_comparison_leaves(finished):
    results, workdir = finished
    assert list(results) == ["joint", "uniform"]
    # What the data are like is not told again by every run.
    assert "interactions" not in results["joint"]
    lines = (workdir / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["label"], r["seed"]) for r in records] == [
        (label, seed) for label in ("joint", "uniform") for seed in (0, 1)
    ]
    table = (workdir / "table.md").read_text()
    assert "| joint   |" in table
    assert "| uniform |" in table
    for name in ("dominant", "gap", "joint_contribution", "bridge_synergy"):
        file = workdir / "figures" / f"methods_{name}.svg"
        assert file.stat().st_size > 0
        assert file.name in table
    page = (workdir / "report.html").read_text(encoding="utf-8")
    assert page.count('<svg role="img"') == table.count("![")
    assert "joint" in page[: page.index("<figure")]


def test_shapley_shares_sum_to_the_gain_over_nothing(finished):
    results, _ = finished
    for run in results["uniform"]["runs"]:
        total = sum(run["shapley"].values())
        # Nothing predicts class 0, a third of the test rows.
        accuracy = run["test"]["last"]["accuracy"]
        np.testing.assert_allclose(total, accuracy - 17 / 50, atol=0.03)


def test_tables_by_hand(tmp_path):
    def one(last, loud, subset, noise):
        score = {"accuracy": last, "accuracy_loud": loud, "macro_f1": 0.375}
        score["accuracy_quiet"] = 0.25
        run = {
            "variant": "all", "shapley": {"loud": 0.125, "quiet": 0.0625},
            "test": {"last": score, "selected": score | {"accuracy": 0.875}},
            "scores": {"fused": {"macro_f1": 0.0, "auroc": 0.75, "ece": 0.05}},
            "subsets": {"loud": subset, "quiet": 0.125, "loud+quiet": last},
            "noise": {"loud": noise, "quiet": [0.5, 0.25, 0.0]},
            "contribution_gap": 1.25,
        }  # fmt: skip
        return {
            "dataset": "d", "modalities": ["loud", "quiet"], "runs": [run],
            "examples": {"test": 8, "validation": 8},
        }  # fmt: skip

    def metrics(method, first, last):
        file = tmp_path / f"{method}.jsonl"
        line = {"split": "validation", "seed": 0, "accuracy_quiet": 0.5}
        file.write_text("".join(
            json.dumps(line | {"step": k, "accuracy": x, "accuracy_loud": y})
            + "\n" for k, x, y in ((1, first, 0.0), (2, last, 0.125))
        ))  # fmt: skip
        return Curves([file])

    results = {
        "joint": one(0.5, 0.4375, 0.4375, [0.5, 0.5, 0.5]),
        "arm": one(0.75, 0.625, 0.625, [0.75, 0.25, 0.5]),
    }
    curves = {"joint": metrics("j", 0.9, 0.5), "arm": metrics("a", 0.1, 0.25)}

    def cells(split):
        groups = [("Methods", ["joint", "arm"])]
        summary = summarize(split, groups, results, curves)
        lines = tables(summary, ["joint", "arm"])
        rows = [x for x in "\n".join(lines).splitlines() if x[:1] == "|"]
        return [[x.strip() for x in row.split("|")[1:-1]] for row in rows]

    first, _, _, arm, second, _, _, beyond = cells("test")
    assert dict(zip(first, arm, strict=True)) == {
        "method": "arm", "last": "75.0", "selected": "87.5",
        "loud alone": "62.5", "quiet alone": "25.0", "macro-F1": "37.5",
        "Shapley loud": "12.5", "Shapley quiet": "6.2", "difference": "+25.0",
    }  # fmt: skip
    assert dict(zip(second, beyond, strict=True)) == {
        "method": "arm", "AUROC": "75.0", "ECE": "5.0", "without loud": "12.5",
        "without quiet": "62.5", "noise 0.5": "62.5", "noise 1": "25.0",
        "noise 2": "25.0", "gap": "1.25",
    }  # fmt: skip
    header, _, _, arm = cells("validation")
    assert dict(zip(header, arm, strict=True)) == {
        "method": "arm", "fused": "25.0", "loud alone": "12.5",
        "quiet alone": "50.0", "difference": "-25.0",
    }  # fmt: skip


def test_curves_over_epochs_of_variants_that_differ_in_steps(tmp_path):
    def line(split, step, value):
        return json.dumps(
            {"split": split, "seed": 0, "step": step, "phi": value}
        )

    files = []
    for number, ends in enumerate(([4, 8], [3, 6, 9])):
        lines = []
        for epoch, end in enumerate(ends):
            # Two lines of training an epoch, about 1 and the other steps.
            before = end - ends[0]
            lines += [
                line("train", before + 1, 1.0),
                line("train", end, 5.0),
                line("validation", end, 10.0 * epoch + number),
            ]
        files.append(tmp_path / f"{number}.jsonl")
        files[-1].write_text("\n".join(lines) + "\n")
    curves = Curves(files)
    epochs, values = curves.get("validation", "phi")
    np.testing.assert_array_equal(epochs, [1, 2])
    np.testing.assert_array_equal(values, [[0, 1], [10, 11]])
    epochs, values = curves.get("train", "phi")
    np.testing.assert_allclose(values[0], [16 / 4, 11 / 3])
    assert not len(curves.get("train", "psi")[0])


def test_finished_runs_are_not_repeated(finished, npz_file):
    results, workdir = finished
    file = run_folder(workdir, "joint", "all") / "results.json"
    stamp = file.stat().st_mtime_ns
    config = small_config(npz_file)
    config["training"]["data"]["processes"] = 2
    again = compare(config, workdir, progress=False)
    assert again.keys() == results.keys()
    assert file.stat().st_mtime_ns == stamp


def test_rows_in_order_are_behind_the_baseline(finished):
    results, workdir = finished
    curves = {
        label: Curves([run_folder(workdir, label, "all") / "metrics.jsonl"])
        for label in results
    }
    best = json.loads(json.dumps(results["uniform"]))
    for run in best["runs"]:
        run["test"]["last"]["accuracy"] = 2.0
    lost = json.loads(json.dumps(results["uniform"]))
    for run in lost["runs"]:
        run["test"]["last"]["accuracy"] = None
    first = {"joint": results["joint"], "lost": lost}
    rest = {"uniform": results["uniform"], "best": best}
    more, groups = first | rest, [("Methods", [*first, *rest])]
    curves["best"] = curves["lost"] = curves["uniform"]
    found = summarize("test", groups, more, curves, in_order=True)
    assert found["groups"] == [
        ("Methods", ["joint", "best", "uniform", "lost"])
    ]
    # What is beyond accuracy is kept, and warned of.
    table = "\n".join(tables(found, ["joint", "best"]))
    assert " AUROC |" in table
    assert "noise 0.5" in table
    worse = json.loads(json.dumps(results["joint"]))
    for run in worse["runs"]:
        run["test"]["last"]["accuracy"] = 0.0
    assert scores.warning(worse).startswith("Warning: the fused prediction is")
    assert "joint (" in comparison_scores.table({"joint": worse})[-2]


def test_fused_and_alone_are_compared_on_the_same_examples():
    last = {"accuracy": 0.6, "accuracy_a": 0.8, "accuracy_b": 0.5}
    run = {
        "test": {"last": last},
        "patterns": {
            "a+b": {"examples": 10, "accuracy": 0.9},
            "b": {"examples": 10, "accuracy": 0.3},
        },
    }
    results = {"modalities": ["a", "b"], "runs": [run]}
    # a is right more often than all, but only ten examples have it.
    assert scores.best_alone(results) is None
    run["patterns"]["a+b"]["accuracy"] = 0.75
    name, loss = scores.best_alone(results)
    assert (name, loss) == ("a", pytest.approx(5))
    assert "over the examples that have it" in scores.warning(results)
    (said, _) = comparison_scores.table({"joint": results})
    assert "on the examples that have it: joint (a alone, by 5.0" in said
    # Where nobody has a modality there is nothing to compare.
    last["accuracy_a"] = None
    run["patterns"] = {"b": {"examples": 20, "accuracy": 0.6}}
    assert scores.best_alone(results) is None


def test_scores_that_are_not_finite_are_kept():
    run = {
        "scores": {"fused": {"auroc": None}}, "subsets": {"a": None},
        "noise": {"a": [0.5, None]}, "contribution_gap": None,
        "patterns": {"a": {"examples": 1, "accuracy": 1.0}},
    }  # fmt: skip
    kept = comparison_scores.kept(run, ["a"])
    np.testing.assert_array_equal(kept["noise"]["a"], [0.5, np.nan])
    assert kept["patterns"] == run["patterns"]


def test_a_single_run_has_its_table_once(finished, npz_file, tmp_path):
    _, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    config = small_config(npz_file)
    config["groups"] = [("Methods", ("joint", "uniform")), ("All", ("joint",))]
    (folder / "config.json").unlink()
    shutil.rmtree(run_folder(folder, "uniform", "all"))
    compare(config, folder, only=["joint"], progress=False)
    table = (folder / "table.md").read_text()
    # One group: a table of accuracies, and one of what is beyond.
    assert table.count("\n## ") == 1
    assert table.count("| joint ") == 2
    assert "## Methods" in table


def test_what_was_done_before_stays_in_the_report(finished, npz_file, tmp_path):
    _, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    results = compare(
        small_config(npz_file), folder, only=["uniform"], progress=False
    )
    assert list(results) == ["joint", "uniform"]
    # Compared with the baseline, not with itself.
    table = (folder / "table.md").read_text()
    assert table.index("| joint ") < table.index("| uniform ")


def test_runs_of_other_sources_are_refused(finished, npz_file, tmp_path):
    _, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    run = run_folder(folder, "uniform", "all")
    line = record.read(run)[-1] | {"sources": "0123456789ab"}
    JsonLines(run / record.NAME).append(line)
    # Unfinished runs are no different.
    for name in ("results.json", "report.md"):
        with pytest.raises(InputError, match="uniform.*0123456789ab there"):
            compare(small_config(npz_file), folder, progress=False)
        (run / name).unlink()
    results = compare(
        small_config(npz_file), folder, progress=False, allow=["sources"]
    )
    assert results.keys() == finished[0].keys()


def test_runs_on_other_data_are_refused(
    finished, npz_file, npz_arrays, tmp_path
):
    _, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    before = npz_file.read_bytes()
    try:
        np.savez(npz_file, **npz_arrays | {"loud": -npz_arrays["loud"]})
        with pytest.raises(InputError, match="made with other data"):
            compare(small_config(npz_file), folder, progress=False)
    finally:
        npz_file.write_bytes(before)


def test_groups_whose_figures_have_the_same_names(npz_file, tmp_path):
    config = small_config(npz_file)
    config["groups"] = [
        (name, ("joint",)) for name in ("Own parts", "own_parts")
    ]
    with pytest.raises(InputError, match="same names, own_parts_"):
        compare(config, tmp_path)


def test_group_of_unknown_runs(npz_file, tmp_path):
    config = small_config(npz_file)
    config["groups"] = [("Methods", ("joint", "magic"))]
    with pytest.raises(InputError, match="'Methods' names the run 'magic'"):
        compare(config, tmp_path)


@pytest.mark.parametrize("name", ["../x", "", "..", "a/b", "a\0"])
def test_names_that_leave_the_workdir(name, npz_file, tmp_path):
    config = small_config(npz_file)
    config["variants"] = {name: {}}
    with pytest.raises(InputError, match="must be names of folders"):
        compare(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unknown_label(npz_file, tmp_path):
    with pytest.raises(InputError, match="--only names 'magic'"):
        compare(small_config(npz_file), tmp_path, only=["magic"])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("arm", {"warmup": 2}, "warm-up of 2 epochs"),
        ("arm", {"balance": -1.0}, "balance must be at least 0"),
        ("tests.arm_jax.three", {}, "defined for 3 modalities"),
    ],
)
def test_nothing_is_trained_if_a_later_run_cannot_be(
    npz_file, tmp_path, monkeypatch, name, options, message
):
    module = types.ModuleType("tests.arm_jax.three")
    module.Three = type(
        "Three",
        (Method,),
        {"modality_counts": (3,), "__module__": module.__name__},
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    config = small_config(npz_file)
    config["runs"]["other"] = {"name": name, "options": options}
    with pytest.raises(InputError, match=message):
        compare(config, tmp_path, progress=False)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changed", "order", "message"),
    [
        # Behind one that `ogm_ge` is defined for, and before it.
        ({"present_loud": np.arange(240) % 3 > 0}, [0, 1], "'ogm_ge' is not"),
        ({"present_loud": np.arange(240) % 3 > 0}, [1, 0], "'ogm_ge' is not"),
        ({"split": np.arange(240) // 80}, [0, 1], "100 is larger than the"),
    ],
    ids=["lacking", "lacking first", "small"],
)
def test_each_run_is_checked_with_its_own_variant(
    changed, order, message, npz_arrays, npz_file, tmp_path
):
    np.savez(tmp_path / "other.npz", **(npz_arrays | changed))
    config = small_config(npz_file)
    config["training"]["data"]["batch_size"] = 100
    config["runs"]["uniform"] = {"name": "ogm_ge"}
    files = [npz_file, tmp_path / "other.npz"]
    config["variants"] = {files[k].stem: {"path": str(files[k])} for k in order}
    with pytest.raises(InputError, match=message):
        compare(config, tmp_path / "work", progress=False)
    assert not (tmp_path / "work" / "runs").exists()


def test_missing_data_file(npz_file, tmp_path):
    config = small_config(npz_file)
    config["training"]["data"]["options"]["path"] = "nowhere.npz"
    with pytest.raises(InputError, match="no file nowhere"):
        compare(config, tmp_path, progress=False)


def test_paired_difference_by_hand():
    # Gains 1, 2, 3: mean 2, sd 1, t(0.975, 2) = 4.303.
    text = difference(np.array([2.0, 3, 4]), np.array([1.0, 1, 1]))
    assert text == "+2.0 [-0.5, +4.5]"


def test_equal_differences_are_no_certainty():
    # But for rounding; two heads of a fair coin, or six.
    found = paired(100 * np.array([0.81, 0.91]), 100 * np.array([0.8, 0.9]))
    assert found.mean == pytest.approx(1)
    assert found.p == 0.5
    assert paired(np.full(6, 3.0), np.zeros(6)).p == 1 / 32
    assert paired(np.ones(3), np.ones(3)).p == 1
    assert np.isnan(paired(np.full(3, np.nan), np.ones(3)).p)


def test_runs_of_one_fold_are_not_independent():
    # Three folds of two runs, which gain 1, 2 and 3 in the mean.
    gains = np.array([0.5, 1.5, 1.5, 2.5, 3.0, 3.0])
    folds = ["a", "a", "b", "b", "c", "c"]
    assert difference(gains, np.zeros(6), folds) == "+2.0 [-0.5, +4.5]"
    # t = 2 / (1 / sqrt(3)) with two degrees of freedom.
    assert paired(gains, np.zeros(6), folds).p == pytest.approx(
        0.0742, abs=1e-4
    )
    # One fold: the runs count.
    assert paired(gains[:2], np.zeros(2), ["a", "a"]).high > 7


def test_tables_take_folds_for_units(finished):
    results, _ = finished
    two = json.loads(json.dumps(dict(results)))
    for label, values in (
        ("joint", [0.5] * 4),
        ("uniform", [0.6, 0.6, 0.7, 0.7]),
    ):
        runs = two[label]["runs"] * 2
        two[label]["runs"] = json.loads(json.dumps(runs))
        for run, x, of in zip(two[label]["runs"], values, "ffgg", strict=True):
            run["test"]["last"]["accuracy"], run["variant"] = x, of
    summary = summarize("test", [("Methods", [*two])], two, {})
    text = "\n".join(tables(summary, [*two]))
    # Two means, 10 and 20: t(0.975, 1) = 12.7 times 5.
    assert "+15.0 [-48.5, +78.5]" in text
    assert "over the means of the 2 variants" in introduction(summary)


def test_holm_by_hand():
    found = holm([0.03, 0.01, 0.5, 0.02])
    np.testing.assert_allclose(found, [0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1, 1]


def test_distance_from_being_trained_alone_by_hand():
    accuracies = {
        "unimodal": {"accuracy": np.ones(3), "accuracy_loud": [50, 60, 70]},
        "arm": {"accuracy": np.ones(3), "accuracy_loud": [51, 62, 73]},
    }
    accuracies = {
        label: {key: np.asarray(x) for key, x in found.items()}
        for label, found in accuracies.items()
    }
    rows = alone_table(accuracies).splitlines()
    assert len(rows) == 3
    assert rows[0].split() == ["|", "method", "|", "loud", "|"]
    assert rows[-1].split("|")[1:3] == [" arm    ", " +2.0 [-0.5, +4.5] "]


def test_variants_by_hand():
    variants = ["b", "b", "a", "a"]
    found = {
        "accuracy": np.array([90.0, 80.0, 60.0, 70.0]),
        # Each is the better one in one variant, on average.
        "accuracy_loud": np.array([50.0, 90.0, 10.0, 10.0]),
        "accuracy_quiet": np.array([60.0, 60.0, 40.0, 50.0]),
    }
    table = variants_table({"joint": found}, variants).splitlines()
    cells = [cell.strip() for cell in table[-1].split("|")[1:-1]]
    assert table[0].split() == ["|", "method", "|", "b", "|", "a", "|"]
    assert cells == ["joint", "85.0 (70.0)", "65.0 (45.0)"]


def test_a_report_on_validation_leaves_the_test_split_out(npz_file, tmp_path):
    config = small_config(npz_file)
    config["split"] = "validation"
    config["runs"] = {"joint": config["runs"]["joint"]}
    config["groups"] = [("Options", ("joint",))]
    config["variants"] = {"one": {"seed": 1}, "two": {"seed": 2}}
    compare(config, tmp_path, progress=False)
    table = (tmp_path / "table.md").read_text()
    assert "Validation split (50 examples in the first of 2 variants)" in table
    assert "mean +- sd over 4 runs" in table
    assert "selected" not in table
    file = tmp_path / "runs" / "joint" / "two" / "metrics.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    last = [r for r in records if r["split"] == "validation"][-2:]
    mean = 100 * np.mean([r["accuracy"] for r in last])
    _, by_variant = table.split("By variant")
    assert f"| {mean:.1f} (" in by_variant
    assert (tmp_path / "figures/options_variants.svg").stat().st_size > 0


def test_choices_of_a_report_on_validation(finished, tmp_path):
    results, _ = finished
    choice = {"point": "as configured", "validation": {"as configured": 0.5}}
    choices = {"joint": [choice | {"test": {"as configured": 0.25}}]}
    groups, curves = [("Methods", ["joint"])], {"joint": Curves([])}
    for split in ("validation", "test"):
        write(tmp_path, split, groups, results, curves, choices)
        summary = json.loads((tmp_path / "summary.json").read_text())
        (kept,) = summary["tuning"]["joint"]
        assert ("test" in kept) == (split == "test")
        assert kept["validation"] == choice["validation"]


def test_unknown_split(npz_file, tmp_path):
    config = small_config(npz_file) | {"split": "train"}
    with pytest.raises(InputError, match="config split must be one of test"):
        compare(config, tmp_path)


def test_values_of_a_finished_run(finished):
    _, workdir = finished
    folder = run_folder(workdir, "joint", "all")
    values = valuate(folder, "validation")
    assert values["phi_cmi"].shape == (2, 50, 2)
    assert list(values["modalities"]) == ["loud", "quiet"]
    assert (values["expected_phi_cmi"] >= -1e-5).all()
    with np.load(folder / "valuation_validation.npz") as file:
        saved = dict(file)
    np.testing.assert_array_equal(saved["phi_mi"], values["phi_mi"])
    records = (folder / "metrics.jsonl").read_text().splitlines()
    last = [
        r
        for r in map(json.loads, records)
        if r["split"] == "validation" and r["seed"] == 1
    ][-1]
    np.testing.assert_allclose(
        values["phi_cmi"][1].mean(0),
        [last["phi_cmi_loud"], last["phi_cmi_quiet"]],
        atol=1e-4,
    )
    assert "phi_CMI, quiet" in summary_table(values)


def test_values_are_in_bits():
    likely, even = np.log(np.array([[0.75, 0.25], [0.5, 0.5]], np.float32))
    rows = np.stack([likely, even])[:, None]
    # Without the first modality nothing is known, without the second all.
    log_probs = Subsets(likely[None], rows, rows[::-1])
    predictions = Predictions(log_probs, *np.zeros((2, 1), np.int32))
    found = valuation._of_run(predictions, even)
    own = np.log2(1.5)
    expected = 0.75 * own - 0.25
    np.testing.assert_allclose(found["phi_mi"], [own], rtol=1e-5)
    np.testing.assert_allclose(found["phi_cmi"], [[own, 0]], rtol=1e-5)
    np.testing.assert_allclose(found["expected_phi_mi"], [expected], rtol=1e-5)
    np.testing.assert_allclose(
        found["expected_phi_cmi"], [[expected, 0]], atol=1e-6
    )


def test_valuation_of_a_comparison(finished):
    with pytest.raises(InputError, match="of a comparison are in its fol"):
        valuate(finished[1])


def test_valuation_needs_a_run(tmp_path):
    with pytest.raises(InputError, match="no run in"):
        valuate(tmp_path, "test")
