import re
import warnings

import numpy as np
import pytest

from arm_jax import methods
from arm_jax.reports import comparison as compare_report
from arm_jax.reports import comparison_figures, scores
from arm_jax.reports import pieces as report
from arm_jax.reports import valuation as valuate


@pytest.mark.parametrize(
    ("value", "digits", "plus", "text"),
    [
        (-1e-12, 3, False, "0.000"),
        (-0.0004, 3, False, "0.000"),
        (-0.0006, 3, False, "-0.001"),
        (-0.0, 1, True, "+0.0"),
        (0.25, 1, True, "+0.2"),
        (-3.14, 1, True, "-3.1"),
        (float("nan"), 2, False, "nan"),
        (np.float32(1.5), 2, False, "1.50"),
    ],
)
def test_numbers_have_no_negative_zero(value, digits, plus, text):
    assert report.fixed(value, digits, plus=plus) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\|b"),
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("a\n| b", "a \\| b"),
        ("p < 0.1", "p < 0.1"),
        ("../a", "../a"),
    ],
)
def test_names_stay_in_their_cell(name, shown):
    assert report.plain(name) == shown
    assert report.plainly({name: [name, 1.5, None]}) == {
        shown: [shown, 1.5, None]
    }
    rows = report.markdown_table([name], [["x"]]).splitlines()
    assert len(rows) == 3
    assert shown in rows[0]


def test_means_and_differences_have_none_either():
    assert report.mean_and_sd([-0.01, -0.02]) == "0.0 +- 0.0"
    assert report.mean_and_sd([-0.01]) == "0.0"
    zero = np.array([-0.01, -0.02])
    text = compare_report.difference(zero, np.zeros(2))
    assert text == "+0.0 [-0.1, +0.0]"
    assert compare_report.difference(zero[:1], np.zeros(1)) == "+0.0"


def test_a_score_that_was_not_finite_is_nan():
    runs = [{"test": {"last": {"accuracy": x}}} for x in (0.5, None)]
    np.testing.assert_array_equal(
        report.percent({"runs": runs}, "accuracy"), [50, np.nan]
    )


@pytest.mark.parametrize("name", ["a$b^$", "$", "$$", "音声", "\\frac", "x_{"])
def test_figures_have_any_name(name, tmp_path):
    file = tmp_path / "figures" / "a.svg"
    with report.figure(file, ncols=2) as (_, axes):
        axes[0].plot([0, 1], label=name)
        axes[0].set(title=name, xlabel=rf"$\phi$ of {name}")
        axes[0].legend()
        axes[1].barh([name, "b"], [1, 2])
    assert file.stat().st_size > 0


def values_of(phi):
    """Arrays as `valuate` makes them, of one seed."""
    phi = np.asarray(phi, np.float32)[None]
    return {
        "phi_mi": phi.sum(-1),
        "phi_cmi": phi,
        "expected_phi_mi": phi.sum(-1),
        "expected_phi_cmi": phi,
        "modalities": np.array([f"m{m}" for m in range(phi.shape[-1])]),
    }


@pytest.mark.parametrize(
    "phi",
    [
        np.zeros((5, 2)),
        np.ones((1, 2)),
        np.full((7, 3), -0.25),
        [[0.0, 1.0]] * 5,
        [[np.nan, 0.5], [0.25, 0.5]],
        [[np.inf, 0.5], [np.nan, 0.5]],
        np.linspace(-1, 1, 50).reshape(5, 10),
        np.linspace(-1, 1, 5).reshape(5, 1),
        [[0.0, 1e-30], [0.0, 0.0]],
    ],
    ids=[
        "zeros", "one row", "constant", "one gap", "nan", "none finite",
        "ten modalities", "one modality", "tiny",
    ],
)  # fmt: skip
def test_values_of_any_kind_have_a_table_and_a_figure(phi, tmp_path):
    values = values_of(phi)
    file = tmp_path / "figures" / "valuation_test.svg"
    valuate.draw(file, values)
    assert file.exists() == np.isfinite(values["phi_cmi"]).all(-1).any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of infinities and their mean
        table = valuate.summary_table(values)
    assert len(table.splitlines()) == 3 + len(values["modalities"])
    assert "-0.00 " not in table


def test_table_of_values_by_hand():
    values = values_of([[-1.0, 0.5], [0.0, 1.0], [4.0, 3.0]])
    values["expected_phi_cmi"] = values["phi_cmi"] + 0.25
    values["expected_phi_mi"] = values["phi_mi"] + 0.75
    rows = valuate.summary_table(values).splitlines()
    cells = [[x.strip() for x in row.split("|")[1:-1]] for row in rows]
    assert cells[0][1:] == [
        "mean", "below 0", "5 %", "median", "95 %", "label-free"
    ]  # fmt: skip
    assert cells[2:] == [
        ["phi_MI, all", "2.50", "33 %", "-0.35", "1.00", "6.40", "3.25"],
        ["phi_CMI, m0", "1.00", "33 %", "-0.90", "0.00", "3.60", "1.25"],
        ["phi_CMI, m1", "1.50", "0 %", "0.55", "1.00", "2.80", "1.75"],
    ]


def test_values_of_a_modality_are_of_those_that_have_it(tmp_path):
    # Of what a sample lacks, contributions are 0.
    values = values_of([[1.0, 0.0], [3.0, 2.0], [0.0, 4.0]])
    values["present"] = np.float32([[1, 0], [1, 1], [0, 1]])
    values["label"] = np.zeros(3, int)
    rows = valuate.summary_table(values).splitlines()
    cells = [[x.strip() for x in row.split("|")[1:-1]] for row in rows[3:]]
    assert [(x[1], x[4], x[6]) for x in cells] == [
        ("2.00", "2.00", "2.00"), ("3.00", "3.00", "3.00")
    ]  # fmt: skip
    file = tmp_path / "figures" / "a.svg"
    assert len(valuate.draw(file, values)) == 3
    page = valuate.html(values, "test", tmp_path, [])
    assert "rest on m1 most: it adds 3.00 bits" in page
    # Nobody has both, and nobody the second.
    values["present"] = np.float32([[1, 0]] * 3)
    assert len(valuate.draw(file, values)) == 2
    assert "m1" not in valuate.summary_table(values)


def curves(tmp_path, *lines):
    file = tmp_path / "metrics.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return compare_report.Curves([file])


LINE = '{"split": "validation", "seed": 0, "step": %d, "accuracy": 0.5, %s}'


def test_no_lines_of_metrics():
    for curve in (compare_report.Curves([]),):
        epochs, values = curve.get("validation", "accuracy")
        assert not len(epochs)
        assert not len(values)


def test_gap_over_the_epochs_that_all_have(tmp_path):
    curve = curves(
        tmp_path,
        LINE % (3, '"phi_cmi_a": 0.5, "phi_cmi_b": 0.25'),
        LINE % (6, '"phi_cmi_a": null, "phi_cmi_b": 0.25'),
        LINE % (9, '"phi_cmi_a": 0.5, "phi_cmi_b": 0.5'),
    )
    epochs, values = comparison_figures._gap(curve, ["a", "b"])
    np.testing.assert_array_equal(epochs, [1, 3])
    np.testing.assert_array_equal(values, [[0.25], [0]])


@pytest.mark.parametrize("name", ["US$ and CA$", "$a_b$"])
def test_names_with_two_dollars_are_no_formulas(name, tmp_path):
    file = tmp_path / "a.svg"
    with report.figure(file) as (_, axis):
        axis.plot([1, 1000], label=name)
        axis.set(xlabel=name, yscale="log")
    text = file.read_text(encoding="utf-8")
    assert f">{name}</text>" in text
    # Powers of ten are formulas still.
    assert "mathdefault" not in re.sub("<!--.*?-->", "", text)


def test_long_names_are_on_several_lines(tmp_path):
    curve = curves(tmp_path, LINE % (3, '"accuracy_a": 0.5'))
    name = "a name that is as long as a sentence and goes on and on"
    curve.get = lambda split, key: (np.ones(1, int), np.ones((1, 2)))
    comparison_figures.draw(tmp_path, "g", {"x": curve}, {"modalities": [name]})
    text = (tmp_path / "figures" / "g_dominant.svg").read_text(encoding="utf-8")
    assert max(len(x) for x in re.findall(">([^<]*)</t", text)) < 40


def test_lines_of_all_methods_differ_and_no_band_hides_them(tmp_path):
    number = len(methods.names())
    curve = curves(tmp_path, LINE % (3, '"x": 0.5'))
    of = lambda c: c.get("validation", "x")
    with report.figure(tmp_path / "a.svg") as (_, axis):
        comparison_figures._bands(
            axis, {str(k): curve for k in range(number)}, of
        )
        looks = {(x.get_color(), x.get_linestyle()) for x in axis.lines}
        bands = len(axis.collections)
    assert (len(looks), bands) == (number, 0)
    with report.figure(tmp_path / "b.svg") as (_, axis):
        comparison_figures._bands(axis, {str(k): curve for k in range(8)}, of)
        assert len(axis.collections) == 8


def test_marks_of_all_methods_differ(tmp_path, monkeypatch):
    drawn = []

    def errorbar(self, x, y, *others, fmt, color, **more):
        drawn.append((fmt, color))

    monkeypatch.setattr("matplotlib.axes.Axes.errorbar", errorbar)
    found = {"accuracy": np.ones(1), "accuracy_a": np.ones(1)}
    some = dict.fromkeys(methods.names(), found)
    comparison_figures.draw_variants(tmp_path, "g", some, ["one"])
    assert len(set(drawn)) == len(some)


def test_a_modality_that_validation_has_not(tmp_path):
    curve = curves(
        tmp_path, LINE % (3, '"accuracy_a": null, "accuracy_b": 0.5')
    )
    of = {"joint": curve}
    assert comparison_figures._dominant(of, ["a", "b"]) == "b"
    assert comparison_figures._dominant(of, ["a"]) is None
    first = {"modalities": ["a"]}
    names = [
        name for name, _ in comparison_figures.draw(tmp_path, "G", of, first)
    ]
    assert names == ["g_gap.svg", "g_joint_contribution.svg"]
    run = {
        "test": {
            "last": {"accuracy": 0.5, "accuracy_a": None, "accuracy_b": 0.75}
        }
    }
    found = {"modalities": ["a", "b"], "runs": [run]}
    assert scores.best_alone(found) == ("b", pytest.approx(25))
    accuracies = {
        "accuracy": np.ones(1),
        "accuracy_a": np.full(1, np.nan),
        "accuracy_b": np.full(1, 3.0),
    }
    _, best = comparison_figures.by_variant(accuracies, ["all"])
    assert best[0] == 3


@pytest.mark.parametrize("split", compare_report.SPLITS)
def test_a_report_without_lines_of_metrics(split, tmp_path):
    score = {"accuracy": 0.5, "accuracy_音": 0.5, "macro_f1": 0.5}
    run = {"variant": "all", "shapley": {"音": -1e-9}}
    run |= {"test": {"last": score, "selected": score}}
    found = {
        "dataset": "data", "modalities": ["音"], "runs": [run],
        "examples": dict.fromkeys(compare_report.SPLITS, 1),
    }  # fmt: skip
    compare_report.write(
        tmp_path,
        split,
        [("A/B: größe", ["joint"])],
        {"joint": found},
        {"joint": curves(tmp_path, "")},
    )
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "Without figures: no validation lines of joint." in text
    assert "音 alone" in text
    assert "-0.0" not in text
    # One run has neither a deviation nor an interval.
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "one run" in text
    assert "sd" not in text
    assert "interval" not in text + page[page.index("<main>") :]
    assert "<b style" not in page
