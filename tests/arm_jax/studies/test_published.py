import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import bounds
from arm_jax.analysis import published as numbers
from arm_jax.errors import InputError
from arm_jax.reports import published as report
from arm_jax.studies import published as study
from arm_jax.studies.published import PublishedConfig
from arm_jax.workdir import read_results
from bounds import companion
from configs import published as configs
from experiments import cli
from tests.bounds.estimation import quantify_helpers as helpers


def test_every_upper_bound_is_the_trivial_one():
    rows = study.rows(PublishedConfig())
    assert len(rows) == 15
    by_data = {}
    for row in rows:
        by_data.setdefault(row["data"], []).append(row)
    for name in ("MUStARD", "UR-FUNNY", "MOSEI", "MOSI"):
        assert len(by_data[name]) == 3
        for row in by_data[name]:
            # The entropy of two classes in the test split's samples.
            assert row["t_min_and_upper"] == pytest.approx(
                row["label_entropy"], abs=3e-6
            )
    digits = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    p = np.array(digits) / 10_000
    assert by_data["AV-MNIST"][0]["t_min_and_upper"] == pytest.approx(
        -(p * np.log2(p)).sum(), abs=3e-6
    )


def test_constants_of_the_disagreement_bound():
    released = [row.lower_disagreement for row in numbers.ROWS]
    paper = [row.valid_paper for row in numbers.ROWS]
    ours = [row.valid_disagreement for row in numbers.ROWS]
    assert sum(x > 0 for x in released) == 12
    assert sum(x > 0 for x in paper) == 3
    assert sum(x > 0 for x in ours) == 9
    # Rounded, what the first row says.
    row = numbers.ROWS[0]
    assert round(row.alpha, 3) == 0.092
    assert round(row.valid_paper, 3) == 0.004
    assert round(row.valid_disagreement, 3) == 0.017
    assert row.excess == pytest.approx(0.506917)


@pytest.mark.parametrize("name", numbers.COUNTED)
def test_label_distributions_have_the_entropy(name):
    p = np.array(numbers.label_of(name))
    assert len(p) == numbers.COUNTED[name].classes
    assert -(p * np.log2(p)).sum() == pytest.approx(
        numbers.entropy_of_label(name), abs=1e-6
    )


def test_the_statistic_of_a_gate_and_of_nothing():
    xor = np.zeros((2, 2, 2))
    for a, b in np.ndindex(2, 2):
        xor[a, b, a ^ b] = 5
    assert study.excess(xor) == pytest.approx(1)
    assert study.excess(np.ones((3, 2, 4))) == pytest.approx(0)
    found = study.null(PublishedConfig(draws=20))
    by_data = {one["data"]: one for one in found}
    # Of the bias of order 1/n: 361 parameters of (x1, x2) with y, all told.
    mean = by_data["MOSEI"]["even"]["mean"]
    assert mean == pytest.approx(380 / (2 * 3637 * np.log(2)), rel=0.15)
    for name in ("MUStARD", "UR-FUNNY", "MOSI", "MOSEI", "MIMIC", "ENRICO"):
        assert not any(row["even"] for row in by_data[name]["rows"])


def test_models_at_random():
    found = study.at_random((1.0, 2.0, 3.0, 4.0), 100.0)
    assert found == {"mean": pytest.approx(93.75), "as_good": 0.75}
    assert len(numbers.SELECTIONS) == 11
    for one in numbers.SELECTIONS:
        # What was published is the accuracy of one of the models.
        share = 100 * np.array(one.accuracies) / max(one.accuracies)
        assert np.abs(share - one.selected).min() < 0.02, one.data


def test_a_run_and_its_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "pid", lambda p, **_: helpers.solved_jointly(p))
    monkeypatch.setattr(companion, "_DRAWS", 2**9)
    monkeypatch.setattr(study, "_SYNTHETIC_SAMPLES", 300)
    monkeypatch.setattr(companion, "NAMES", ("redundancy", "uniqueness0"))
    monkeypatch.setattr(companion, "PUBLISHED", dict(
        list(companion.PUBLISHED.items())[:3]
    ))  # fmt: skip
    config = configs.study()
    assert config.study == "published"
    del config["study"]
    config.draws, config.tables, config.datasets = 3, 50, ()
    # On busy cores threads wait for each other.
    with threadpool_limits(limits=1):
        results = study.published(cli.to_dict(config), tmp_path, progress=False)
    assert read_results(tmp_path / "results.json") == results
    assert results["bounds"] == []
    pages = report.markdown(results)
    for what in (
        "MUStARD", "three at random", "above even", "c = 1/4",
        "cannot be made again",
    ):  # fmt: skip
        assert what in pages
    header, rows = report.companion_table(results)
    assert rows[1][header.index("exact")].startswith("0.000 0.")
    # The same again computes nothing.
    monkeypatch.setattr(study, "null", helpers.never)
    assert (
        study.published(cli.to_dict(config), tmp_path, progress=False)
        == results
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 1}, "config.draws must be at least 2"),
        ({"seconds": 0.0}, "config.seconds must be positive"),
        ({"datasets": ("mosei",)}, "config.datasets must be one of"),
    ],
)
def test_bad_configs_are_named(change, message):
    with pytest.raises(InputError, match=message):
        PublishedConfig(**change)
