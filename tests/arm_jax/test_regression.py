"""Numbers to be predicted, from the file to the results."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from sklearn import metrics

from arm_jax import data, loop, methods, tasks, training
from arm_jax.analysis import scores
from arm_jax.config import Config, ModelConfig, from_mapping
from arm_jax.data.dataset import checked
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions, summarize
from arm_jax.gaussian import Gaussian
from arm_jax.models import create_model
from arm_jax.probing import Probe
from arm_jax.reports import comparison, comparison_figures
from arm_jax.studies import quantify
from arm_jax.studies.training import fit
from arm_jax.studies.valuation import valuate
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers

COVERED = {
    "arm", "joint", "mmpareto", "modality_dropout", "uniform", "unimodal",
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An age of mean 40 and deviation 10, which two modalities tell of."""
    rng = np.random.default_rng(0)
    age = 40 + 10 * rng.normal(size=200)
    seen = (age[:, None] - 40) / 10
    arrays = {
        "a": seen + 0.5 * rng.normal(size=(200, 2)),
        "b": seen + rng.normal(size=(200, 2)),
        "label": age,
        "split": np.repeat([0, 1, 2], [120, 40, 40]),
    }
    path = tmp_path_factory.mktemp("ages") / "ages.npz"
    np.savez(path, **arrays)
    return path


def source(file, **options):
    given = {"path": str(file), "task": "regression"} | options
    return {"name": "npz", "options": given}


def with_labels(file, folder, change):
    """Returns a copy of a file whose labels are changed."""
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["label"] = change(changed["label"])
    path = folder / "changed.npz"
    np.savez(path, **changed)
    return path


def config(data):
    return {
        "data": data | {"batch_size": 20},
        "model": {"hidden": (), "features": 4},
        "method": {"name": "arm", "options": {}},
        "optimizer": {"learning_rate": 0.05},
        "train": {"epochs": 4},
    }


@contextlib.contextmanager
def trained(data, workdir):
    """A finished run and its folder, whose programs serve what comes next."""
    made = loop.prepare(from_mapping(Config, config(data)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "prepare", lambda *_: made)
        yield fit(config(data), workdir, progress=False), workdir


@pytest.fixture(scope="module")
def finished(file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "arm"
    with trained(source(file), workdir) as found:
        yield found


def test_a_training_from_file_to_report(finished, file):
    results, workdir = finished
    with np.load(file) as arrays:
        train = arrays["label"][:120]
    assert results["target"]["mean"] == train.mean()
    assert results["target"]["deviation"] == train.std()
    (of_run,) = results["runs"]
    last = of_run["test"]["last"]
    assert 0.6 < last["accuracy"] < 1
    assert last["accuracy"] > last["accuracy_b"]
    assert 2 < last["rmse"] < 8  # years
    # Of a normal number, R^2 of 0.8 is 1.2 bits.
    assert 0.5 < last["phi_mi"] < 2
    assert of_run["predictions"] == {}
    report = (workdir / "report.md").read_text()
    for words in ("Test R^2 in %", "RMSE", "a number", "Beyond R^2"):
        assert words in report
    assert "accuracy" not in report.replace("(`accuracy` in", "").replace(
        "figures/accuracy.svg", ""
    )


def test_samples_are_valued(finished, file):
    results, workdir = finished
    values = valuate(workdir)
    with np.load(file) as arrays:
        np.testing.assert_allclose(
            values["label"], arrays["label"][160:], rtol=1e-6
        )
    last = results["runs"][0]["test"]["last"]
    np.testing.assert_allclose(
        values["phi_cmi"].mean(axis=(0, 1)),
        [last["phi_cmi_a"], last["phi_cmi_b"]],
        rtol=1e-4,
    )


def write_comparison(finished, folder):
    """Compares a run with itself."""
    results, workdir = finished
    one = results | {"runs": [x | {"variant": "all"} for x in results["runs"]]}
    curves = comparison_figures.Curves([workdir / "metrics.jsonl"])
    comparison.write(
        folder,
        "test",
        [("Methods", ["arm", "other"])],
        {"arm": one, "other": one},
        {"arm": curves, "other": curves},
    )


def test_a_comparison_says_what_its_numbers_are(finished, tmp_path):
    write_comparison(finished, tmp_path)
    for name in ("table.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "Fused R^2" in text or "fused R^2" in text
        for words in ("(`accuracy` in", "<code>accuracy</code>"):
            text = text.replace(words, "")
        assert "ccuracy" not in text
        assert "macro-F1" not in text


def gaussians(mean, deviation):
    return Gaussian(mean, np.log(np.full(mean.shape, deviation)))


@pytest.fixture
def predicted(rng):
    """Standardised labels, whose variance is not 1, and means of subsets."""
    label = 0.3 + 1.4 * rng.normal(size=60)
    noise = rng.normal(size=(4, 60))
    return label, label * [[0.0], [0.4], [0.7], [0.9]] + 0.3 * noise


def test_summary_is_scikit_learns(predicted):
    label, mean = predicted
    full, alone = gaussians(mean[3], 0.5), gaussians(mean[1:3], 1.0)
    found = summarize(
        Predictions(
            Subsets(full, alone, gaussians(mean[2:0:-1], 1.0)),
            label.astype(np.float32),
            np.arange(60),
        ),
        ("a", "b"),
        np.zeros(2),
        unit=10.0,
    )
    of_full = stats.norm.logpdf(label, mean[3], 0.5)
    without_a = stats.norm.logpdf(label, mean[2], 1.0)
    expected = {
        "accuracy": metrics.r2_score(label, mean[3]),
        "accuracy_a": metrics.r2_score(label, mean[1]),
        "accuracy_b": metrics.r2_score(label, mean[2]),
        "rmse": 10 * metrics.root_mean_squared_error(label, mean[3]),
        "mae": 10 * metrics.mean_absolute_error(label, mean[3]),
        "correlation": stats.pearsonr(label, mean[3]).statistic,
        "loss": -of_full.mean(),
        "phi_mi": (of_full - stats.norm.logpdf(label)).mean() / np.log(2),
        "phi_cmi_a": (of_full - without_a).mean() / np.log(2),
    }
    assert found.keys() == expected.keys() | {"phi_cmi_b"}
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5, err_msg=key)


def test_scores_of_subsets_and_noise(predicted):
    label, mean = predicted
    noisy = 1 - (label - mean[2]) ** 2  # as in a step
    probe = Probe(gaussians(mean.T, 1.0), noisy[:, None, None])
    found = scores.of_run(
        probe, label.astype(np.float32), ("a", "b"), ("a",), unit=10.0
    )
    r2 = [metrics.r2_score(label, x) for x in mean]
    np.testing.assert_allclose(
        [found["subsets"][key] for key in ("a", "b", "a+b")], r2[1:], rtol=1e-5
    )
    np.testing.assert_allclose(found["noise"]["a"], r2[2], rtol=1e-5)
    np.testing.assert_allclose(
        sum(found["shapley"].values()), r2[3] - r2[0], rtol=1e-5
    )
    np.testing.assert_allclose(
        found["scores"]["a"]["rmse"],
        10 * metrics.root_mean_squared_error(label, mean[1]),
        rtol=1e-5,
    )


def batch_of_numbers():
    rng = np.random.default_rng(1)
    label = rng.normal(size=24)
    label = (label - label.mean()) / label.std()
    arrays = {
        "inputs": {
            "a": label[:, None] + 0.5 * rng.normal(size=(24, 2)),
            "b": label[:, None] + 0.5 * rng.normal(size=(24, 3)),
        },
        "label": label,
        "mask": np.ones((24, 2)),
    }
    batch = jax.tree.map(lambda x: x.astype(np.float32), arrays)
    return batch | {"id": np.arange(24, dtype=np.int32)}


def started(name, labels=0):
    method = methods.create(name, {})
    model = create_model(
        ModelConfig(hidden=(), features=3),
        {"a": (2,), "b": (3,)},
        2,
        labels=labels,
        regression=True,
    )
    state = training.create_state(model, method, optax.sgd(0.1), seed=0)
    return method, model, state


def test_losses_are_negative_log_densities():
    batch = batch_of_numbers()
    method, model, state = started("uniform")
    seen = helpers.forward(model, state.variables.params, batch, method=method)
    costs = []
    for mask in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0]):
        found = seen.head(seen.features, jnp.asarray(mask))
        costs.append(
            -stats.norm.logpdf(
                batch["label"], found.mean, np.exp(found.log_deviation)
            ).mean()
        )
    (value,) = method.losses(seen, batch).values.values()
    np.testing.assert_allclose(value, sum(costs), rtol=1e-5)
    (fused,) = methods.create("joint", {}).losses(seen, batch).values.values()
    np.testing.assert_allclose(fused, costs[0], rtol=1e-5)


def test_dropout_of_modalities_is_joint_where_nothing_is_dropped():
    batch = batch_of_numbers()
    _, model, state = started("joint")
    seen = helpers.forward(model, state.variables.params, batch)
    never = methods.create("modality_dropout", {"rate": 1e-9})
    (expected,) = (
        methods.create("joint", {}).losses(seen, batch).values.values()
    )
    (value,) = never.losses(seen, batch).values.values()
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("fusion", ["none", "running"])
def test_both_forms_of_arm_have_one_value(fusion):
    """Their gradients differ alone."""
    batch = batch_of_numbers()
    _, model, state = started("joint")
    found = []
    for form in ("loose", "strict"):
        method = methods.create("arm", {"form": form, "fusion": fusion})
        seen = helpers.forward(
            model,
            state.variables.params,
            batch,
            memory=jnp.zeros(2),
            method=method,
        )
        found.append(method.losses(seen, batch))
    np.testing.assert_allclose(
        found[0].values["loss"], found[1].values["loss"], rtol=1e-5
    )
    np.testing.assert_allclose(found[0].carry, found[1].carry, rtol=1e-4)


def test_mmpareto_learns_a_number():
    """By its own heads as well, which have the two outputs."""
    method, model, state = started("mmpareto")
    step = jax.jit(
        training.make_train_step(
            model, method, optax.sgd(0.1), np.zeros(2, np.float32)
        ),
        compiler_options=helpers.QUICKLY,
    )
    batch = batch_of_numbers()
    history = []
    for _ in range(40):
        state, metrics_of_step = step(state, batch)
        history.append(metrics_of_step)
    for name in ("fused", "own_a", "own_b"):
        first, last = (history[k][f"loss_{name}"] for k in (0, -1))
        # An entropy of 1.4 nats is where nothing is known.
        assert last < min(first, 1.3)
    assert history[-1]["accuracy"] > 0.6


def test_every_method_says_whether_it_covers_numbers(file):
    covering = {n for n in methods.names() if "regression" in methods.tasks(n)}
    assert covering == COVERED
    given = from_mapping(Config, config(source(file)))
    given.method.__dict__["name"] = "tcmax"
    with pytest.raises(InputError, match=r"not defined for numbers .* arm, j"):
        loop.model_for(
            given, methods.create("tcmax", {}), data.load(**source(file))
        )


def test_quantify_refuses_numbers(file, tmp_path):
    message = "this has numbers to be predicted: give classes"
    with pytest.raises(InputError, match=message):
        quantify.quantify({"data": source(file)}, tmp_path)


def test_numbers_are_standardised_by_the_training_rows(file):
    dataset = data.load(**source(file))
    assert tasks.of(dataset) == tasks.REGRESSION
    with np.load(file) as arrays:
        age = arrays["label"]
    for name, rows in (("train", slice(120)), ("test", slice(160, None))):
        label = dataset.splits[name].label
        assert label.dtype == np.float32
        np.testing.assert_allclose(
            label,
            (age[rows] - age[:120].mean()) / age[:120].std(),
            rtol=1e-5,
            atol=1e-6,
        )
    np.testing.assert_array_equal(dataset.log_prior, [0, 0])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda y: y, {"task": ""}, "integers.*data.options.task=regression"),
        (lambda y: y, {"task": "other"}, "task must be 'regression'"),
        (lambda y: y, {"num_classes": 2}, "num_classes is for classes"),
        (lambda y: y > 40, {}, "must be a vector of numbers"),
        (lambda y: y[:, None], {}, "must be a vector of numbers"),
        (lambda y: y.astype(str), {}, "must be a vector of numbers"),
        (lambda y: np.where(y > 50, np.nan, y), {}, r"label\[\d+\] is nan"),
        (lambda y: np.full(200, 3.0), {}, "nothing to predict"),
        (
            lambda y: np.where(np.arange(200) < 160, y, 3.0),
            {},
            "split 'test': label is the same",
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
        return data.Dataset(
            **{
                "name": "mine",
                "class_names": (),
                "splits": dataset.splits,
                "target": dataset.target,
            }
            | fields
        )

    assert checked(changed()).unit == dataset.target.deviation
    with pytest.raises(InputError, match="no names of classes"):
        checked(changed(class_names=("old", "young")))
    swapped = dataset.splits | {"train": dataset.splits["test"]}
    with pytest.raises(InputError, match="must be standardised"):
        checked(changed(splits=swapped))
