import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.reports import truth as report
from arm_jax.studies import truth as study
from bounds import problems
from configs import truth as configs
from experiments import cli


class _Pool:
    """Does in this process what the study does in one of its own."""

    def __init__(self, number):
        assert number == 1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def apply(self, function, arguments):
        return function(*arguments)

    def close(self):
        pass

    join = close


class _Context:
    Pool = _Pool


@pytest.fixture
def fake(monkeypatch):
    """Methods whose answers are known, and no processes."""
    calls = []

    def method(drawn, config, seed):
        calls.append((len(drawn.labels), seed))
        return [0.5, 0.0, 0.0, 0.25 + 0.125 * seed]

    monkeypatch.setattr(
        study.multiprocessing, "get_context", lambda kind: _Context()
    )
    monkeypatch.setitem(study.METHODS, "symbols", method)
    monkeypatch.setitem(study.METHODS, "posteriors", method)
    return calls


def small(**changes):
    config = configs.study()
    assert config.study == "truth"
    del config["study"]
    config.update(
        {"problems": ("and",), "methods": ("symbols", "posteriors"),
         "samples": 30, "draws": 2, **changes}
    )  # fmt: skip
    return cli.to_dict(config)


def test_a_comparison_and_its_table(fake, tmp_path):
    results = study.truth(small(), tmp_path, progress=False)
    assert fake == [(30, 0), (30, 1)] * 2
    first = results["rows"][0]
    assert first["method"] == "symbols"
    truth = problems.named("and").truth
    np.testing.assert_allclose(first["truth"], truth[:4])
    assert len(first["seconds"]) == 2
    table = report.table(results).splitlines()
    assert len(table) == 4
    assert "0.50 0.00 0.00 0.31" in table[2]
    worst = max(abs(0.5 - truth[0]), abs(0.375 - truth[3]), truth[1])
    assert f"{worst:.2f}" in table[2]
    # The same again computes nothing.
    assert study.truth(small(), tmp_path, progress=False) == results
    assert len(fake) == 4


def test_symbols_are_as_many_as_samples_carry(monkeypatch):
    drawn = problems.named("copy4").sample(500)
    seen = {}

    def quantify(evidence, **options):
        seen["shape"] = evidence.table.counts.shape
        raise InputError("enough")

    monkeypatch.setattr(study.bounds, "quantify", quantify)
    with pytest.raises(InputError, match="enough"):
        study.METHODS["symbols"](drawn, study.TruthConfig(), 0)
    assert seen["shape"] == (5, 5, 4)  # 5 samples for each of 100 cells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problems": ("mosi",)}, "config.problems must be one of"),
        ({"methods": ("minet",)}, "config.methods must be one of"),
        ({"draws": 0}, "config.draws must be at least 1"),
        ({"problems": ()}, "must not be empty"),
    ],
)
def test_bad_configs_are_named(change, message):
    with pytest.raises(InputError, match=message):
        study.TruthConfig(**change)
