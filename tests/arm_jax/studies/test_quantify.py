import ast
import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

import arm_jax
import bounds
from arm_jax.config import from_mapping
from arm_jax.errors import InputError
from arm_jax.reports import learning, quantify_html
from arm_jax.reports import quantify as quantify_report
from arm_jax.studies import quantify
from arm_jax.studies.quantify import QuantifyConfig
from arm_jax.studies.quantify import quantify as run
from arm_jax.workdir import read_results
from bounds.estimation import (
    _outputs,
    _resampling,
    _sides,
    classifiers,
    samples,
)
from configs import npz
from experiments import cli
from tests.bounds.estimation import quantify_helpers

pytestmark = pytest.mark.usefixtures("nothing_is_fitted_twice")


def small_config(npz_file, **changes):
    config = npz.quantify()
    config.data.options.path = str(npz_file)
    config.folds = 3
    config.symbols.number = config.symbols.most = 2
    config.symbols.sensitivity = (2,)
    config.symbols.when = "always"
    config.resampling.replicates = 20
    config.resampling.permutations = 10
    config.resampling.interval_replicates = 5
    for key, value in changes.items():
        config[key] = value
    return cli.to_dict(config)


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_compiled():
    with quantify_helpers.without_compiling():
        yield


@pytest.fixture(scope="module")
def finished(npz_file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "small"
    return run(small_config(npz_file), workdir, progress=False), workdir


def test_what_a_report_leaves(finished):
    results, workdir = finished
    names = sorted(p.name for p in workdir.iterdir())
    assert names == [
        "config.json", "record.jsonl", "report.html", "report.md",
        "results.json",
    ]  # fmt: skip
    text = (workdir / "results.json").read_text(encoding="utf-8")
    assert read_results(workdir / "results.json") == results
    assert "digest" in json.loads(text)
    pair = results["pairs"]["loud & quiet"]
    assert pair["interactions"]["size"] == 240
    first = pair["interactions"]["estimates"]["information1"]
    assert first["lower"] > 0.2
    assert results["models"]["loud"]["logistic"]["accuracy"] > 0.6
    assert pair["recommendation"]["text"] in (workdir / "report.md").read_text(
        encoding="utf-8"
    )


def test_parts_of_an_interrupted_report_go_on(tmp_path):
    begun = []

    def evaluate(number):
        begun.append(number)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return {"x": np.array([number, np.nan, -0.0]), "gap": np.zeros(1)}

    def asked():
        parts = quantify._Parts(tmp_path, {"a": 1}, (), "digest")
        return parts.share(evaluate, 2) + parts.share(evaluate, 2)

    with pytest.raises(KeyboardInterrupt):
        asked()
    found = asked()
    assert begun == [0, 1, 0, 0, 1]
    for part, number in zip(found, [0, 1, 0, 1], strict=True):
        expected = np.array([number, np.nan, -0.0])
        assert part["x"].tobytes() == expected.tobytes()
    # Of other data it is another report.
    with pytest.raises(InputError, match="other data"):
        quantify._Parts(tmp_path, {"a": 1}, (), "another")


def test_parts_give_what_the_whole_gives(rng):
    table = samples.count(rng.integers(2, size=(3, 60)), (2, 2, 2))
    few = {"replicates": 4, "permutations": 2, "interval_replicates": 2}
    shared = []

    def share(function, count):
        # The last first: nothing depends on who has which, and when.
        found = {n: function(n) for n in reversed(range(count))}
        shared.append(count)
        return [found[n] for n in range(count)]

    whole = bounds.quantify(bounds.Labelled(table), **few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_resampling, "_SHARED_ROWS", 7)
        parts = bounds.quantify(bounds.Labelled(table), **few, share=share)
    assert max(shared) > 2
    for name, estimate in whole.estimates.items():
        np.testing.assert_allclose(
            list(parts.estimates[name]), list(estimate), atol=1e-8
        )


def test_page_needs_no_network(finished):
    page = (finished[1] / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    for outside in ("src=", "<link", "@import", "url(http"):
        assert outside not in page
    # Figures have words, and names of their own.
    assert page.count('<svg role="img" aria-label="') == 4
    names = re.findall(r' id="([^"]+)"', page)
    assert len(set(names)) == len(names)
    assert 'name="viewport"' in page
    header, rows = quantify_report.table(finished[0])
    for name in (*header, *map(str, rows[0])):
        assert name.replace("&", "&amp;") in page


def test_reports_are_made_again_from_the_results(
    finished, npz_file, monkeypatch
):
    results, workdir = finished
    files = [workdir / name for name in ("report.md", "report.html")]
    before = [file.read_bytes() for file in files]
    files[0].unlink()
    files[1].write_text("half")
    monkeypatch.setattr(quantify, "study", quantify_helpers.never)
    assert run(small_config(npz_file), workdir, progress=False) == results
    assert [file.read_bytes() for file in files] == before
    with pytest.raises(InputError, match="margin"):
        run(small_config(npz_file, margin=0.1), workdir, progress=False)


def test_arrays_and_frames_have_the_report_too(npz_arrays, tmp_path):
    names = np.array(["no", "so", "yes"])[npz_arrays["label"]]
    arrays = {key: npz_arrays[key] for key in ("quiet", "loud")}
    options = {"folds": 3, "resampling": {"replicates": 9}}
    results = quantify.quantify_arrays(
        arrays, names, tmp_path / "arrays", progress=False, **options
    )
    assert results["classes"] == ["no", "so", "yes"]
    assert results["label_entropy"] == pytest.approx(math.log2(3))
    pair = results["pairs"]["loud & quiet"]
    assert pair["posteriors"]["value"]["unique1"] > 0.2
    # Posteriors decide, so there are no symbols, and no part of the reports.
    assert pair["interactions"] is None
    assert results["ranking"] == []
    for name in ("report.md", "report.html"):
        text = (tmp_path / "arrays" / name).read_text(encoding="utf-8")
        assert "symbols.when=always" in text
        assert "From symbols" not in text
        assert "What to label" not in text
    frame = {f"{k}{i}": x for k, v in arrays.items() for i, x in enumerate(v.T)}
    columns = {key: [c for c in frame if key in c] for key in arrays}
    frame = type("Frame", (dict,), {"columns": property(list)})(
        frame, kind=names
    )
    with pytest.raises(InputError, match="another configuration .*folds"):
        quantify.quantify_arrays(
            columns, "kind", tmp_path / "arrays", frame=frame
        )
    again = quantify.quantify_arrays(
        columns, "kind", tmp_path / "arrays", frame=frame, progress=False,
        **options,
    )  # fmt: skip
    assert again == results
    with pytest.raises(InputError, match="data"):
        quantify.quantify_arrays(
            arrays, names[::-1], tmp_path / "arrays", **options
        )
    with pytest.raises(InputError, match="has 240 samples, labels has 239"):
        quantify.quantify_arrays(arrays, names[1:], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def saved(tmp_path, npz_arrays, **changes):
    path = tmp_path / "bad.npz"
    np.savez(path, **{**npz_arrays, **changes})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"loud": np.ones((240, 2))}, "modality 'loud' is constant"),
        (
            lambda a: {"loud": np.where(np.eye(240, 5) > 0, np.nan, a["loud"])},
            r"loud\[0, 0\] is nan",
        ),
        (lambda a: {"quiet": a["quiet"][:-1]}, "'quiet' has shape"),
        (
            lambda a: {"label": np.r_[3, a["label"][1:]]},
            "class 3 has one sample",
        ),
    ],
)
def test_bad_data_are_named_and_leave_nothing(
    npz_arrays, tmp_path, change, message
):
    path = saved(tmp_path, npz_arrays, **change(npz_arrays))
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        run(small_config(path), workdir, progress=False)
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "folds must be 0 or at least 2, got 1"),
        ({"folds": 100}, "class 0 has 80 samples, fewer than 100 folds"),
        ({"units": "subject"}, "no group 'subject'; it has: none"),
        ({"knowledge": "all"}, "knowledge must be one of labelled, unimodal"),
        ({"modalities": ("loud", "smell")}, "no modality 'smell'"),
        ({"modalities": ("loud",)}, "two modalities or more"),
        ({"modalities": ("loud", "loud")}, "two modalities or more"),
        ({"margin": 0.0}, "margin must be positive"),
        ({"margin": math.nan}, "margin must be positive"),
        (
            {"symbols": {"sensitivity": (2, 1)}},
            "sensitivity must hold numbers of at least 2, got 1",
        ),
        (
            {"models": {"series": ("smell",)}},
            "no modality 'smell'",
        ),
        ({"resampling": {"seed": -1}}, "resampling.seed must be at least 0"),
    ],
)
def test_bad_configuration_is_named(npz_file, tmp_path, changes, message):
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        run(small_config(npz_file, **changes), workdir, progress=False)
    assert not workdir.exists()


@pytest.fixture
def solvers(monkeypatch):
    """None are needed, and the classifiers are all the fastest one."""
    quantify_helpers.without_solvers(monkeypatch)
    fitted = classifiers.posteriors

    def posteriors(*args, kind, **options):
        return fitted(*args, kind="logistic", **options)

    monkeypatch.setattr(classifiers, "posteriors", posteriors)


def without_answers(monkeypatch):
    """Posteriors are not decomposed, which is a reason and no failure."""

    def decomposed(*args, **options):
        raise InputError("enough")

    monkeypatch.setattr(_outputs, "pid_of_posteriors", decomposed)


def few_values(npz_arrays, tmp_path):
    """A binary column, five categories and a modality of numbers."""
    rng = np.random.default_rng(3)
    y = npz_arrays["label"]
    binary = np.where(rng.random(240) < 0.8, y == 0, y != 0)
    return saved(
        tmp_path,
        {"label": y, "split": npz_arrays["split"]},
        sex=binary[:, None].astype(float),
        city=np.eye(5)[(y + rng.integers(3, size=240)) % 5],
        image=npz_arrays["loud"],
    )


@pytest.mark.parametrize(
    ("kind", "folds"), [("posteriors", 3), ("kmeans", 0), ("quantiles", 0)]
)
def test_modalities_of_few_values(
    solvers, monkeypatch, npz_arrays, tmp_path, kind, folds
):
    if kind != "posteriors":
        without_answers(monkeypatch)
    config = small_config(few_values(npz_arrays, tmp_path), folds=folds)
    config["rest"] = config["given"] = False
    config["symbols"] |= {"kind": kind, "number": 0, "most": 16,
                          "sensitivity": (2, 4, 8, 16)}  # fmt: skip
    results = run(config, tmp_path / "run", progress=False)
    assert results["failed"] == {}
    for name, pair in results["pairs"].items():
        points = [tuple(p["symbols"]) for p in pair["sensitivity"]]
        assert len(set(points)) == len(points)
        for side, sizes in zip(name.split(" & "), zip(*points, strict=True),
                               strict=True):  # fmt: skip
            assert max(sizes) <= {"sex": 2, "city": 5, "image": 16}[side]
            assert min(sizes) >= 2
    # The symbols of a binary column are its values: what they say of the label
    # can be counted by hand.
    pair = results["pairs"]["city & sex"]
    with np.load(tmp_path / "bad.npz") as file:
        rows = slice(None) if folds else slice(140, None)
        table = np.zeros((2, 3))
        np.add.at(
            table,
            (file["sex"][rows, 0].astype(int), file["label"][rows]),
            1,
        )
    p = table / table.sum()
    independent = p.sum(0) * p.sum(1, keepdims=True)
    by_hand = (p * np.log2(np.where(p > 0, p, 1) / independent)).sum()
    found = pair["interactions"]["estimates"]["information2"]["plug_in"]
    assert found == pytest.approx(by_hand)
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "| city & sex" in report


def test_repeated_values_give_as_many_quantiles_as_they_can():
    x = np.repeat([0.0, 1.0, 2.0, 3.0], [10, 70, 10, 10])
    edges = _sides._fit_quantiles(x, 8)
    assert len(np.unique(edges(x))) == len(edges.edges) + 1
    assert len(edges.edges) >= 1
    assert len(_sides._fit_quantiles(np.ones(5), 4).edges) == 0


def test_values_are_counted_if_they_are_few(rng):
    few = rng.integers(3, size=(3000, 1)).astype(float)
    code = _sides._values([few, few * 0], 3)
    np.testing.assert_array_equal(code, few[:, 0])
    assert _sides._values([few], 2) is None
    # A value that comes late is one more.
    few[-1] = 7
    assert _sides._values([few], 3) is None
    assert _sides._values([few], 4).max() == 3


def test_a_pair_that_cannot_be_measured_is_a_sentence(
    solvers, monkeypatch, npz_arrays, tmp_path
):
    path = saved(tmp_path, npz_arrays, more=npz_arrays["loud"][:, ::-1] ** 2)
    honest = _sides.View.symbols

    def symbols(view, number):
        if view.name == "quiet":
            raise InputError("modality 'quiet' has one symbol")
        return honest(view, number)

    monkeypatch.setattr(_sides.View, "symbols", symbols)
    without_answers(monkeypatch)
    config = small_config(path, rest=False, given=False)
    results = run(config, tmp_path / "run", progress=False)
    assert list(results["pairs"]) == ["loud & more"]
    assert results["failed"] == {
        "loud & quiet": "modality 'quiet' has one symbol",
        "more & quiet": "modality 'quiet' has one symbol",
    }
    for name in ("report.md", "report.html"):
        text = (tmp_path / "run" / name).read_text(encoding="utf-8")
        assert "There is nothing on" in text
        assert "one symbol" in text
    config["modalities"] = ("loud", "quiet")
    with pytest.raises(InputError, match="'quiet' has one symbol"):
        run(config, tmp_path / "other", progress=False)


def test_outputs_that_are_all_alike_are_named(npz_arrays, tmp_path):
    config = quantify.from_mapping(
        quantify.QuantifyConfig, small_config(saved(tmp_path, npz_arrays))
    )
    view = _sides.View(quantify.prepare(config)[1], ("loud",), config)
    view.posteriors[:] = [0.5, 0.25, 0.25]
    with pytest.raises(InputError, match="'loud' has one symbol: the class"):
        view.symbols(2)


def test_results_outlive_a_report_that_fails(
    solvers, monkeypatch, npz_file, tmp_path
):
    def fails(results):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(quantify_html, "html", fails)
        with pytest.raises(ZeroDivisionError):
            run(small_config(npz_file), tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "results.json").exists()
    monkeypatch.setattr(quantify, "study", quantify_helpers.never)
    run(small_config(npz_file), tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "report.html").exists()


def test_too_few_samples_make_a_report(solvers, npz_arrays, tmp_path):
    small = {key: x[:20] for key, x in npz_arrays.items()}
    small["split"] = np.repeat([0, 1, 2], [8, 6, 6])
    config = small_config(saved(tmp_path, small), folds=2)
    config["symbols"] |= {"number": 3, "most": 3}
    results = run(config, tmp_path / "run", progress=False)
    pair = results["pairs"]["loud & quiet"]
    assert pair["convergence"] is None
    assert pair["interactions"]["estimates"]["redundancy"]["value"] is None
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "too few samples (needs 45)" in report
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "parts of the samples: too few samples" in page


def test_names_in_any_alphabet(solvers, npz_arrays, tmp_path):
    path = saved(
        tmp_path,
        {k: npz_arrays[k] for k in ("label", "split")},
        **{"音声": npz_arrays["loud"], "Größe $_{$": npz_arrays["quiet"]},
    )
    run(small_config(path), tmp_path / "run", progress=False)
    for name in ("report.md", "report.html"):
        text = (tmp_path / "run" / name).read_text(encoding="utf-8")
        assert "Größe $_{$" in text
        assert "音声" in text


@pytest.mark.parametrize(
    "name",
    ["studies/quantify", "studies/coverage", "reports/synergy",
     "reports/comparison", "reports/demo"],
)  # fmt: skip
def test_every_file_is_utf8_whatever_the_locale(name):
    source = Path(arm_jax.__file__).parent / f"{name}.py"
    calls = [
        node
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("open", "read_text", "write_text")
    ]
    assert calls
    for call in calls:
        assert "encoding" in [k.arg for k in call.keywords], call.lineno


@pytest.mark.parametrize(
    ("change", "folds", "message"),
    [
        (
            lambda a: {"loud": np.r_[a["loud"][:140], 0 * a["loud"][140:]]},
            0,
            "modality 'loud' is constant in validation and test",
        ),
        (
            lambda a: {"loud": np.r_[0 * a["loud"][:140], a["loud"][140:]]},
            0,
            "modality 'loud' is constant in the training split",
        ),
        (
            lambda a: {"label": np.r_[a["label"][:140], [0] * 100]},
            0,
            "the samples that are counted have one label, or none",
        ),
        (
            lambda a: {"label": np.r_[a["label"][:140], [0] * 99, 1]},
            0,
            "the samples that are counted have one sample of class 1: drop",
        ),
        (
            lambda a: {"split": np.repeat([0, 1, 2], [238, 1, 1])},
            0,
            "the samples that are counted have one sample of class 1",
        ),
        (
            lambda a: {"subject": np.repeat([0, 1], 120)},
            3,
            "2 units are fewer than 3 folds",
        ),
    ],
)
def test_data_are_checked_before_the_first_classifier(
    monkeypatch, npz_arrays, tmp_path, change, folds, message
):
    monkeypatch.setattr(
        "bounds.estimation.classifiers.posteriors", quantify_helpers.never
    )
    changes = change(npz_arrays)
    path = saved(tmp_path, npz_arrays, **changes)
    config = small_config(path, folds=folds)
    if "subject" in changes:
        config["data"]["options"]["group"] = config["units"] = "subject"
    with pytest.raises(InputError, match=message):
        run(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_the_group_of_a_file_is_what_depends(npz_arrays, tmp_path):
    path = saved(tmp_path, npz_arrays, group=np.arange(240) // 8)
    config = from_mapping(QuantifyConfig, small_config(path))
    _, rows = quantify.prepare(config)
    np.testing.assert_array_equal(np.unique(rows.units), np.arange(30))


def test_halves_without_a_class_are_named(monkeypatch, npz_arrays, tmp_path):
    monkeypatch.setattr(
        "bounds.estimation.classifiers.posteriors", quantify_helpers.never
    )
    # Each subject has one class: three of them cannot be halved.
    path = saved(tmp_path, npz_arrays, subject=npz_arrays["label"])
    config = small_config(path, knowledge="unimodal", units="subject", folds=0)
    config["data"]["options"]["group"] = "subject"
    with pytest.raises(InputError, match="the half of the first modality have"):
        run(config, tmp_path / "run", progress=False)


def test_a_class_that_is_not_counted_is_no_obstacle(
    solvers, npz_arrays, tmp_path
):
    label = npz_arrays["label"].copy()
    label[140:] = label[140:] % 2
    path = saved(tmp_path, npz_arrays, label=label)
    results = run(small_config(path, folds=0), tmp_path / "run",
                  progress=False)  # fmt: skip
    pair = results["pairs"]["loud & quiet"]
    assert pair["interactions"]["label"][2] == 0
    assert pair["interactions"]["estimates"]["information1"]["enough"]


def test_missing_file_is_named(tmp_path):
    config = small_config(tmp_path / "nowhere.npz")
    with pytest.raises(InputError, match=r"no file .*nowhere\.npz"):
        run(config, tmp_path / "run", progress=False)


def test_posteriors_are_decomposed_without_symbols(finished):
    results, workdir = finished
    found = results["pairs"]["loud & quiet"]["posteriors"]
    value = found["value"]
    parts = ("redundancy", "unique1", "unique2", "synergy")
    assert sum(value[q] for q in parts) == pytest.approx(value["total"])
    assert value["redundancy"] + value["unique1"] > 0.8
    assert value["unique2"] < 0.2
    roles = ("first", "second", "joint")
    assert tuple(found["classifiers"]) == roles
    low, high = found["interaction"]
    assert low < high
    assert tuple(found["learned"]) == roles
    text = (workdir / "report.md").read_text(encoding="utf-8")
    page = (workdir / "report.html").read_text(encoding="utf-8")
    _, (row,) = quantify_report.posteriors_table(results)
    assert row[0] == "loud & quiet"
    assert row[1].startswith(f"{value['redundancy']:.3f} [")
    for cell in row[1:6]:
        assert cell in text
        assert cell in page
    taught = learning.sentence(
        results["pairs"]["loud & quiet"], found["learned"], results["margin"]
    )
    assert f"loud & quiet: {taught}." in text
    assert taught in page
    # Two symbols of three classes lose something, which is said.
    (line,) = [
        x
        for x in quantify_report.posteriors_sentences(results)
        if "2 symbols keep" in x
    ]
    hard = found["hard"]["r1"]
    assert f"of {hard:.2f} bits of loud" in line
    assert line.replace("&", "&amp;") in page


def test_posteriors_without_labels_of_pairs(solvers, npz_file, tmp_path):
    config = small_config(npz_file, knowledge="unimodal", folds=3)
    config["symbols"] |= {"number": 2, "most": 3, "sensitivity": (2, 3)}
    results = run(config, tmp_path / "run", progress=False)
    pair = results["pairs"]["loud & quiet"]
    # Nor are they in what says how far to trust the numbers.
    assert pair["convergence"] is None
    assert len(pair["sensitivity"]) == 2
    for point in pair["sensitivity"]:
        assert "synergy" not in point["estimates"]
    found = pair["posteriors"]
    assert tuple(found["classifiers"]) == ("first", "second")
    assert found["interaction"] is None
    parts = {"redundancy", "unique1", "unique2"}
    assert found["value"].keys() == parts | {"information1", "information2"}
    assert found["value"]["redundancy"] + found["value"]["unique1"] > 0.8
    assert set(found["hard"]) == {"r1", "r2"}
    _, (row,) = quantify_report.posteriors_table(results)
    assert row[4:6] == ["needs pairs", "needs pairs"]


def test_doubts_name_the_modalities():
    pair = {
        "first": "audio",
        "second": "image",
        "symbols": [2, 2],
        "interactions": {"estimates": {}},
        "posteriors": {
            "doubts": ["r1 is overconfident: it claims more", "r12 knows less"],
            "classifiers": {
                "joint": {"name": "late fusion", "calibration": "vector"}
            },
        },
    }
    pair["interactions"]["estimates"] = {
        f"information{i}": {"value": None} for i in (1, 2)
    }
    lines = quantify_report.posteriors_sentences(
        {"pairs": {"x": pair}, "margin": 0.05}
    )
    assert lines == [
        "audio & image: likeliest on held-out samples is for both late fusion "
        "(vector scaling).",
        "audio & image: audio is overconfident: it claims more.",
        "audio & image: the classifier of both knows less.",
    ]


def test_unknown_calibration(npz_file, tmp_path):
    config = small_config(npz_file)
    config["models"]["calibration"] = "isotonic"
    with pytest.raises(InputError, match="models.calibration must be one of"):
        run(config, tmp_path / "run", progress=False)


def test_weights_of_the_file_reach_the_counts(
    npz_arrays, tmp_path, monkeypatch
):
    calls = []

    def decomposed(*args, **options):
        calls.append(options)
        raise InputError("enough")

    monkeypatch.setattr(_outputs, "pid_of_posteriors", decomposed)
    weights = np.where(np.arange(240) % 4 == 0, 0.0, 1 + np.arange(240) % 3)
    path = saved(tmp_path, npz_arrays, weights=weights)
    config = from_mapping(QuantifyConfig, small_config(path))
    _, rows = quantify.prepare(config)
    np.testing.assert_array_equal(rows.weights, weights[weights > 0])
    assert len(rows.inputs["loud"]) == len(rows.label) == 180
    view = _sides.View(rows, ("loud",), config)
    pair = _sides.Pair(
        view, _sides.View(rows, ("quiet",), config), rows, config
    )
    table = pair.table(2)
    assert table.weighted
    assert table.size == 180
    np.testing.assert_allclose(
        table.counts.sum((0, 1)),
        np.bincount(rows.label, rows.weights) / rows.weights.mean(),
    )
    np.testing.assert_array_equal(pair.predictions().weights, rows.weights)
    flat = np.full((180, 3), 1 / 3)
    both = dict.fromkeys(classifiers.KINDS, flat)
    monkeypatch.setattr(_sides.Pair, "together", both)
    assert pair.answer().reason == "enough"
    np.testing.assert_array_equal(calls[-1]["weights1"], rows.weights)
    half = dataclasses.replace(rows, half=np.arange(180) < 90)
    pair = _sides.Pair(view, pair.second, half, config)
    assert all(part.weighted for part in pair.evidence(2))
    pair.answer()
    np.testing.assert_array_equal(calls[-1]["weights2"], rows.weights[90:])


@pytest.fixture
def theirs(tmp_path):
    """Outputs of a model that has not seen `quiet`."""
    label = np.arange(60) % 3
    right = np.where(np.arange(60) % 10 == 0, (label + 1) % 3, label)
    loud = 0.85 * np.eye(3)[right] + 0.05
    file = tmp_path / "theirs.npz"
    nothing = np.full((60, 3), 1 / 3)
    np.savez(
        file, quiet=nothing, loud=loud, label=label, **{"loud+quiet": loud}
    )
    return file


def test_a_model_beside_the_data(npz_file, npz_arrays, theirs, tmp_path):
    config = small_config(npz_file)
    config["symbols"]["when"] = "needed"
    config["outputs"]["path"] = str(theirs)
    workdir = tmp_path / "run"
    results = run(config, workdir, progress=False)
    model = results["model"]
    assert model["subsets"]["loud+quiet"]["accuracy"] == pytest.approx(0.9)
    decomposed = model["decomposition"]["loud & quiet"]["value"]
    assert decomposed["unique1"] > 0.5
    assert decomposed["redundancy"] == pytest.approx(0, abs=1e-6)
    (difference, *_) = model["differences"]["loud & quiet"]
    assert difference["quantity"] == "redundancy"
    assert difference["data"] > difference["model"]
    for name in ("report.md", "report.html"):
        text = (workdir / name).read_text(encoding="utf-8")
        assert "Your model" in text
        assert "bits that loud and quiet share, less than" in text
        assert "only together" in text
    # It is read back, but not of other outputs.
    assert run(config, workdir, progress=False) == results
    with np.load(theirs) as file:
        arrays = dict(file)
    same = quantify.quantify_arrays(
        {key: npz_arrays[key] for key in ("quiet", "loud")},
        npz_arrays["label"], tmp_path / "arrays", outputs=arrays,
        progress=False, folds=3, resampling={"replicates": 20},
    )  # fmt: skip
    for key in ("subsets", "decomposition", "agreement"):
        assert same["model"][key] == model[key]
    np.savez(theirs, **arrays | {"label": arrays["label"][::-1]})
    with pytest.raises(InputError, match="data"):
        run(config, workdir, progress=False)


def test_a_model_of_other_modalities(npz_file, theirs, tmp_path):
    config = small_config(npz_file)
    config["outputs"]["path"] = str(theirs)
    config["modalities"] = ("loud", "quiet")
    with np.load(theirs) as file:
        arrays = dict(file)
    arrays["soft"] = arrays.pop("quiet")
    arrays["loud+soft"] = arrays.pop("loud+quiet")
    np.savez(theirs, **arrays)
    with pytest.raises(
        InputError, match=r"config outputs.path .*: there are outputs of 'soft'"
    ):
        run(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "results.json").exists()
