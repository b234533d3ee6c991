import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from arm_jax.errors import InputError
from arm_jax.reports import screening as report
from arm_jax.studies.screening import screening as run
from bounds.estimation import screening
from configs import screening as configs
from experiments import cli
from tests.bounds.estimation import quantify_helpers as helpers


@pytest.fixture(autouse=True)
def _without_solver(monkeypatch):
    monkeypatch.setattr(
        screening, "pid", lambda p, **_: helpers.solved_jointly(p)
    )
    # On busy cores threads wait for each other.
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two coins whose exclusive or is the label, and what tells nothing."""
    rng = np.random.default_rng(0)
    coins = rng.integers(2, size=(2, 600))
    path = tmp_path_factory.mktemp("data") / "coins.npz"
    np.savez(
        path,
        a=coins[0][:, None] + 0.1 * rng.random((600, 1)),
        b=coins[1][:, None] + 0.3 * rng.random((600, 2)),
        c=rng.normal(size=(600, 3)),
        person=np.arange(600) // 2,
        label=coins[0] ^ coins[1] ^ (rng.random(600) < 0.05),
    )
    return path


def config(file, **changes):
    found = configs.study()
    del found["study"]
    found.data.name = "npz"
    found.data.options.path = str(file)
    found.data.options.group = "person"
    found.symbols = 2
    for key, value in changes.items():
        found[key] = value
    return cli.to_dict(found)


def test_the_pair_that_interacts_is_found(file, tmp_path):
    results = run(config(file), tmp_path, progress=False)
    assert results["names"] == ["a", "b", "c"]
    adjusted = dict(
        zip(zip(results["first"], results["second"], strict=True),
            results["adjusted"], strict=True)
    )  # fmt: skip
    assert [pair for pair, p in adjusted.items() if p <= 0.05] == [(0, 1)]
    text = report.markdown(results)
    assert "3 pairs of 3 modalities; 1 have synergy S" in text
    assert text.count("| yes") == 1
    figure = tmp_path / "map.svg"
    assert figure.read_text(encoding="utf-8").startswith("<?xml")
    # The same again makes the map from the results.
    figure.unlink()
    assert run(config(file), tmp_path, progress=False) == results
    assert figure.exists()


def test_features_one_by_one_of_one_sample_per_person(file, tmp_path):
    chosen = config(
        file, features=True, units="person", permutations=40, quantity="total"
    )
    results = run(chosen, tmp_path, progress=False)
    assert results["names"] == ["a[0]", "b[0]", "b[1]", "c[0]", "c[1]", "c[2]"]
    assert len(results["value"]) == 15
    assert "total information" in report.sentence(results)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modalities": ("a", "z")}, "no modality 'z'; it has: a, b, c"),
        ({"units": "room"}, "no group 'room'; it has: person"),
        ({"quantity": "unique"}, "config.quantity"),
        ({"quantity": "unique2"}, "config.quantity must not be"),
        ({"symbols": 1}, "config.symbols must be at least 2"),
    ],
)
def test_bad_configs_are_named_and_leave_nothing(
    file, tmp_path, changes, message
):
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        run(config(file, **changes), workdir, progress=False)
    assert not (workdir / "config.json").exists()


def test_weights_are_refused(file, tmp_path):
    arrays = dict(np.load(file))
    path = tmp_path / "weighted.npz"
    np.savez(path, **arrays, weights=np.ones(600))
    with pytest.raises(InputError, match="has weights, which a permutation"):
        run(config(path), tmp_path / "run", progress=False)
