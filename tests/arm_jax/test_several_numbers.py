"""Several numbers of each example, from the file to the results."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from sklearn import metrics

from arm_jax import data, tasks, training, valuation
from arm_jax.analysis import scores
from arm_jax.data.dataset import checked
from arm_jax.data.labels import Target
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions, summarize
from arm_jax.gaussian import Gaussian
from arm_jax.probing import Probe
from arm_jax.studies.valuation import valuate
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers
from tests.arm_jax.test_regression import (
    COVERED,
    gaussians,
    started,
    trained,
    with_labels,
    write_comparison,
)

NAMES = ("valence", "arousal")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two numbers, of either of which one modality tells; in other units."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(200, 2))
    arrays = {
        "face": numbers[:, :1] + 0.4 * rng.normal(size=(200, 2)),
        "voice": numbers[:, 1:] + 0.4 * rng.normal(size=(200, 2)),
        "label": numbers * [1.0, 20.0] + [5.0, -3.0],
        "split": np.repeat([0, 1, 2], [120, 40, 40]),
    }
    path = tmp_path_factory.mktemp("affect") / "affect.npz"
    np.savez(path, **arrays)
    return path


def source(file, **options):
    given = {"path": str(file), "task": "regression", "label_names": NAMES}
    return {"name": "npz", "options": given | options}


@pytest.fixture(scope="module")
def finished(file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "arm"
    with trained(source(file), workdir) as found:
        yield found


def test_a_training_from_file_to_report(finished, file):
    results, workdir = finished
    with np.load(file) as arrays:
        train = arrays["label"][:120]
    np.testing.assert_allclose(results["target"]["mean"], train.mean(axis=0))
    np.testing.assert_allclose(results["target"]["deviation"], train.std(0))
    assert results["label_names"] == list(NAMES)
    (of_run,) = results["runs"]
    last = of_run["test"]["last"]
    by_number = of_run["labels"]
    np.testing.assert_allclose(
        np.mean(by_number["fused"]["accuracy"]), last["accuracy"], rtol=1e-4
    )
    assert last["accuracy"] > 0.6
    # Each modality tells of its own number alone.
    for name, own, other in (("face", 0, 1), ("voice", 1, 0)):
        alone = by_number[name]["accuracy"]
        assert alone[own] > 0.6 > 0.2 > alone[other]
        np.testing.assert_allclose(
            np.mean(alone), last[f"accuracy_{name}"], rtol=1e-4
        )
    # In units of their own.
    first, second = by_number["fused"]["rmse"]
    assert first < 1 < 5 < second < 20
    assert of_run["predictions"] == {}
    report = (workdir / "report.md").read_text()
    for words in (
        "Test R^2 in %", "An example has 2 numbers", "| valence |",
        "R^2 in % by number, and the fused RMSE in its unit:", "in deviations",
    ):  # fmt: skip
        assert words in report
    page = (workdir / "report.html").read_text()
    assert "of the variance of 2 numbers in 40 examples" in page


def test_samples_are_valued(finished, file):
    results, workdir = finished
    values = valuate(workdir)
    with np.load(file) as arrays:
        np.testing.assert_allclose(
            values["label"], arrays["label"][160:], rtol=1e-5, atol=1e-5
        )
    assert values["expected_phi_cmi"].shape == (1, 40, 2)
    assert values["expected_phi_mi"].shape == (1, 40)
    last = results["runs"][0]["test"]["last"]
    np.testing.assert_allclose(
        values["phi_cmi"].mean(axis=(0, 1)),
        [last["phi_cmi_face"], last["phi_cmi_voice"]],
        rtol=1e-4,
    )


def test_a_comparison_says_what_its_numbers_are(finished, tmp_path):
    write_comparison(finished, tmp_path)
    table = (tmp_path / "table.md").read_text()
    assert "An example has 2 numbers" in table
    assert "RMSE, MAE: in deviations in training, means over" in table


@pytest.fixture
def predicted(rng):
    """Labels `[n, 2]`, whose variances are not 1, and means of subsets."""
    label = [0.3, -1.0] + [1.4, 0.6] * rng.normal(size=(60, 2))
    noise = rng.normal(size=(4, 60, 2))
    shares = np.array([0.0, 0.4, 0.7, 0.9])[:, None, None]
    return label.astype(np.float32), label * shares + 0.3 * noise


def predictions(label, mean):
    return Predictions(
        Subsets(
            gaussians(mean[3], 0.5),
            gaussians(mean[1:3], 1.0),
            gaussians(mean[2:0:-1], 1.0),
        ),
        label,
        np.arange(len(label)),
    )


def test_summary_is_scikit_learns(predicted):
    label, mean = predicted
    found = summarize(
        predictions(label, mean),
        ("a", "b"),
        np.zeros((2, 2)),
        unit=np.array([10.0, 0.1]),
    )
    of_full = stats.norm.logpdf(label, mean[3], 0.5).sum(axis=1)
    without_a = stats.norm.logpdf(label, mean[2], 1.0).sum(axis=1)
    prior = stats.norm.logpdf(label).sum(axis=1)
    expected = {
        "accuracy": metrics.r2_score(label, mean[3]),
        "accuracy_a": metrics.r2_score(label, mean[1]),
        "accuracy_b": metrics.r2_score(label, mean[2]),
        "rmse": metrics.root_mean_squared_error(label, mean[3]),
        "mae": metrics.mean_absolute_error(label, mean[3]),
        "correlation": np.mean(
            [stats.pearsonr(label[:, k], mean[3, :, k])[0] for k in (0, 1)]
        ),
        "loss": -of_full.mean(),
        "phi_mi": (of_full - prior).mean() / np.log(2),
        "phi_cmi_a": (of_full - without_a).mean() / np.log(2),
    }
    assert found.keys() == expected.keys() | {"phi_cmi_b"}
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5, err_msg=key)


def test_contributions_are_sums_over_the_numbers(predicted):
    """Of the label and of predictions without it, as of each by itself."""
    label, mean = predicted
    whole = predictions(label, mean).log_probs
    prior = np.array([[0.2, -0.1], [0.0, 0.3]])
    parts = []
    for k in (0, 1):
        own = jax.tree.map(lambda x, k=k: x[..., k], whole)
        parts.append(
            [
                valuation.joint_contribution(own, prior[k], label[:, k]),
                valuation.conditional_contributions(own, label[:, k]),
                valuation.expected_joint_contribution(own, prior[k]),
                valuation.expected_conditional_contributions(own),
            ]
        )
    together = [
        valuation.joint_contribution(whole, prior, label),
        valuation.conditional_contributions(whole, label),
        valuation.expected_joint_contribution(whole, prior),
        valuation.expected_conditional_contributions(whole),
    ]
    for found, first, second in zip(together, *parts, strict=True):
        np.testing.assert_allclose(found, first + second, rtol=1e-5, atol=1e-6)


def test_scores_of_subsets_and_noise(predicted):
    label, mean = predicted
    noisy = 1 - (label - mean[2]) ** 2  # as in a step
    whole = np.moveaxis(mean, 0, 1)
    probe = Probe(gaussians(whole, 1.0), noisy[:, None, None])
    found = scores.of_run(
        probe, label, ("a", "b"), ("a",), unit=np.array([10.0, 0.1])
    )
    r2 = [metrics.r2_score(label, x) for x in mean]
    np.testing.assert_allclose(
        [found["subsets"][key] for key in ("a", "b", "a+b")], r2[1:], rtol=1e-5
    )
    np.testing.assert_allclose(found["noise"]["a"], r2[2], rtol=1e-5)
    for name, x in (("a", mean[1]), ("b", mean[2]), ("fused", mean[3])):
        own = found["labels"][name]
        np.testing.assert_allclose(
            own["accuracy"],
            metrics.r2_score(label, x, multioutput="raw_values"),
            rtol=1e-5,
        )
        np.testing.assert_allclose(
            own["rmse"],
            [10.0, 0.1]
            * metrics.root_mean_squared_error(
                label, x, multioutput="raw_values"
            ),
            rtol=1e-5,
        )


def batch_of_numbers():
    rng = np.random.default_rng(1)
    label = rng.normal(size=(24, 2))
    arrays = {
        "inputs": {
            "a": label + 0.5 * rng.normal(size=(24, 2)),
            "b": label[:, :1] + 0.5 * rng.normal(size=(24, 3)),
        },
        "label": label,
        "mask": np.ones((24, 2)),
    }
    batch = jax.tree.map(lambda x: x.astype(np.float32), arrays)
    return batch | {"id": np.arange(24, dtype=np.int32)}


def test_losses_are_sums_of_negative_log_densities():
    batch = batch_of_numbers()
    method, model, state = started("uniform", labels=2)
    seen = helpers.forward(model, state.variables.params, batch, method=method)
    cost = 0
    for mask in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0]):
        found = seen.head(seen.features, jnp.asarray(mask))
        assert isinstance(found, Gaussian)
        cost -= stats.norm.logpdf(
            batch["label"], found.mean, np.exp(found.log_deviation)
        ).sum() / len(batch["label"])
    (value,) = method.losses(seen, batch).values.values()
    np.testing.assert_allclose(value, cost, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(COVERED))
def test_every_method_that_covers_numbers_learns_several(name):
    method, model, state = started(name, labels=2)
    step = jax.jit(
        training.make_train_step(
            model, method, optax.sgd(0.1), np.zeros((2, 2), np.float32)
        ),
        compiler_options=helpers.QUICKLY,
    )
    batch = batch_of_numbers()
    history = []
    for _ in range(40):
        state, measured = step(state, batch)
        history.append(measured)
    first, last = history[0], history[-1]
    assert last["cross_entropy"] < first["cross_entropy"] - 0.2
    # The mean over the numbers of what is explained.
    assert 0.4 < last["accuracy"] < 1
    assert last["phi_mi"] > 0.5


def test_numbers_are_standardised_one_by_one(file):
    dataset = data.load(**source(file))
    assert tasks.of(dataset) == tasks.REGRESSION
    assert dataset.label_names == NAMES
    label = dataset.splits["train"].label
    assert (label.shape, label.dtype) == ((120, 2), np.float32)
    np.testing.assert_allclose(label.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(label.std(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(dataset.log_prior, np.zeros((2, 2)))
    with np.load(file) as arrays:
        np.testing.assert_allclose(
            dataset.splits["test"].label * dataset.unit + dataset.target.mean,
            arrays["label"][160:],
            rtol=1e-5,
            atol=1e-5,
        )


def with_number(x):
    return np.stack([np.linspace(0, 1, 200), x], axis=1)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda y: y, {"label_names": ("a",)}, "name each of the 2 columns"),
        (lambda y: y, {"num_classes": 2}, "num_classes is for classes"),
        (lambda y: y[:, 0], {}, "label_names are for several"),
        (lambda y: y[:, None], {}, r"or a table .* got float64 \(200, 1, 2\)"),
        (lambda y: y > 0, {}, "got bool"),
        (lambda y: np.where(y > 30, np.nan, y), {}, r"label\[\d+, 1\] is nan"),
        (
            lambda y: with_number(np.full(200, 3.0)),
            {},
            r"'\[:, 1\] has the dev",
        ),
        (
            lambda y: with_number(np.where(np.arange(200) < 160, y[:, 0], 3.0)),
            {},
            r"split 'test': label\[:, 1\] is the same",
        ),
    ],
)
def test_numbers_that_are_refused(file, tmp_path, change, options, message):
    path = with_labels(file, tmp_path, change)
    with pytest.raises(InputError, match=message):
        data.load(**source(path, **options))


def test_a_module_of_ones_own_is_checked(file):
    dataset = data.load(**source(file))

    def changed(**fields):
        given = {
            "name": "mine",
            "class_names": (),
            "splits": dataset.splits,
            "label_names": NAMES,
            "target": dataset.target,
        }
        return data.Dataset(**(given | fields))

    np.testing.assert_array_equal(
        checked(changed()).unit, dataset.target.deviation
    )
    one = Target(*(x[:1] for x in dataset.target))
    assert changed(target=one).digest != dataset.digest
    with pytest.raises(InputError, match="label must be a vector of float32"):
        checked(changed(label_names=()))
    with pytest.raises(InputError, match=r"float32 \[n, 3\], a column"):
        checked(changed(label_names=("a", "b", "c")))
    swapped = dataset.splits | {"train": dataset.splits["test"]}
    with pytest.raises(InputError, match=r"label\[:, [01]\] must be standard"):
        checked(changed(splits=swapped))
