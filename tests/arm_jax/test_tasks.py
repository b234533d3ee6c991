"""Training on several labels at once, from the file to the results."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import data, loop, methods, tasks, training
from arm_jax.config import Config, ModelConfig, from_mapping
from arm_jax.data.dataset import checked
from arm_jax.errors import InputError
from arm_jax.models import create_model
from arm_jax.studies import quantify, screening
from arm_jax.studies.training import fit
from arm_jax.studies.valuation import valuate
from tests.arm_jax import helpers

NAMES = ("odd", "dark", "loud")
COVERED = (
    "arm", "joint", "late_fusion", "linear_probe", "mmpareto",
    "modality_dropout", "uniform", "unimodal",
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two modalities that tell of two labels each; some rows lack one."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=(200, 3))
    arrays = {
        "a": 3 * label[:, :2] + rng.normal(size=(200, 2)),
        "b": 3 * label[:, 1:] + rng.normal(size=(200, 2)),
        "present_a": rng.random(200) < 0.9,
        "label": label == 1,
        "split": np.repeat([0, 1, 2], [120, 40, 40]),
    }
    path = tmp_path_factory.mktemp("several") / "several.npz"
    np.savez(path, **arrays)
    return path


def source(file):
    options = {"path": str(file), "label_names": NAMES}
    return {"name": "npz", "options": options}


def config(file, method="arm"):
    return {
        "data": source(file) | {"batch_size": 20},
        "model": {"hidden": (), "features": 4},
        "method": {"name": method, "options": {}},
        "optimizer": {"learning_rate": 0.05},
        "train": {"epochs": 4, "log_every": 4},
    }


@pytest.fixture(scope="module")
def run(file):
    """One prepared run for all, whose programs are compiled once."""
    made = loop.prepare(from_mapping(Config, config(file)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "prepare", lambda *_: made)
        yield made


@pytest.fixture(scope="module")
def finished(run, file, tmp_path_factory):
    """A run that was interrupted in its second epoch, and went on."""
    workdir = tmp_path_factory.mktemp("runs") / "arm"
    given = config(file)
    assert fit(given, workdir, progress=False, stop_after=9) is None
    return fit(given, workdir, progress=False), workdir


def test_a_training_from_file_to_report(finished):
    results, workdir = finished
    assert results["label_names"] == list(NAMES)
    (of_run,) = results["runs"]
    last = of_run["test"]["last"]
    assert last["accuracy"] > 0.8
    assert last["accuracy"] ** 3 - 0.2 < last["exact_match"] < last["accuracy"]
    # Three labels have three bits, and losses are sums over them.
    assert 1 < last["phi_mi"] < 3
    np.testing.assert_allclose(
        last["loss"] / np.log(2), 3 - last["phi_mi"], atol=0.1
    )
    assert of_run["predictions"] == {}
    assert set(of_run["scores"]["fused"]) == {
        "macro_f1", "micro_f1", "exact_match", "average_precision", "auroc",
        "ece",
    }  # fmt: skip
    assert set(of_run["patterns"]) == {"a+b", "b"}
    report = (workdir / "report.md").read_text()
    for words in ("3 labels, each 0 or 1", "exact match", "several labels"):
        assert words in report
    assert "partial information" not in report


def test_an_interrupted_training_goes_on(run, finished, tmp_path):
    _, workdir = finished
    loop.train(run, tmp_path, progress=False)
    whole, resumed = (
        (folder / "metrics.jsonl").read_text() for folder in (tmp_path, workdir)
    )
    assert whole == resumed


def test_samples_are_valued_by_sums_over_labels(finished):
    results, workdir = finished
    values = valuate(workdir)
    assert values["label"].shape == (40, 3)
    assert values["phi_cmi"].shape == (1, 40, 2)
    last = results["runs"][0]["test"]["last"]
    np.testing.assert_allclose(
        values["phi_mi"].mean(), last["phi_mi"], rtol=1e-4
    )
    page = (workdir / "valuation_test.html").read_text()
    assert "sums over the labels" in page


def batch_of(labels):
    rng = np.random.default_rng(1)
    label = rng.integers(2, size=(24, labels))
    arrays = {
        "inputs": {
            "a": 3 * label[:, :1] + rng.normal(size=(24, 2)),
            "b": 3 * label[:, -1:] + rng.normal(size=(24, 3)),
        },
        "label": label,
        "id": np.arange(24),
        "mask": np.ones((24, 2)),
    }
    return jax.tree.map(
        lambda x: x.astype(np.int32 if x.dtype.kind == "i" else np.float32),
        arrays,
    )


def started(name, labels):
    """A method, a model and what their training begins with."""
    method = methods.create(name, {})
    config = ModelConfig(hidden=(), features=3)
    model = create_model(config, {"a": (2,), "b": (3,)}, 2, labels=labels)
    state = training.create_state(model, method, optax.sgd(0.1), seed=0)
    return method, model, state


def losses_of(name, labels, batch):
    method, model, state = started(name, labels)

    def of(variables):
        seen = helpers.forward(
            model,
            variables.params,
            batch,
            memory=variables.memory,
            method=method,
        )
        logits = seen.head(seen.features, jnp.array([1.0, 0.0]))
        return method.losses(seen, batch).values | {
            "prediction": jax.nn.log_softmax(logits)
        }

    return jax.jit(of, compiler_options=helpers.QUICKLY)(state.variables)


@pytest.mark.parametrize("name", COVERED)
def test_one_label_is_two_classes(name):
    batch = batch_of(1)
    found = losses_of(name, 1, batch)
    expected = losses_of(name, 0, batch | {"label": batch["label"][:, 0]})
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(
            found[key].reshape(value.shape), value, rtol=1e-5
        )


@pytest.mark.parametrize("name", ["joint", "uniform", "mmpareto"])
def test_several_labels_are_learnt(name):
    method, model, state = started(name, 3)
    prior = np.log(np.full((3, 2), 0.5, np.float32))
    step = jax.jit(
        training.make_train_step(model, method, optax.sgd(0.1), prior),
        compiler_options=helpers.QUICKLY,
    )
    batch = batch_of(3)
    history = []
    for _ in range(30):
        state, metrics = step(state, batch)
        history.append(metrics)
    first, last = history[0], history[-1]
    assert last["cross_entropy"] < 0.7 * first["cross_entropy"]
    assert last["accuracy"] > first["accuracy"] > 0
    np.testing.assert_allclose(
        last["phi_mi"], 3 - last["cross_entropy"] / np.log(2), rtol=1e-5
    )


def test_every_method_says_whether_it_covers_labels():
    covering = {n for n in methods.names() if "labels" in methods.tasks(n)}
    assert covering == set(COVERED)


def test_what_is_for_classes_refuses_labels(file, tmp_path):
    message = (
        "config method.name: 'ogm_ge' is not defined for several labels .*; "
        "defined are arm, joint"
    )
    given = from_mapping(Config, config(file, "ogm_ge"))
    whole = data.load(**source(file))
    train = whole.splits["train"]
    with pytest.raises(InputError, match=message):
        loop.model_for(
            given,
            methods.create("ogm_ge", {}),
            dataclasses.replace(
                whole,
                splits={"train": dataclasses.replace(train, present=None)},
            ),
        )
    for study in (quantify.quantify, screening.screening):
        with pytest.raises(
            InputError, match="this has several labels .* give one"
        ):
            study({"data": source(file)}, tmp_path / study.__name__)


def test_a_table_of_labels(file):
    dataset = data.load(**source(file))
    assert tasks.of(dataset) == tasks.LABELS
    assert dataset.label_names == NAMES
    train = dataset.splits["train"].label
    assert train.shape == (120, 3)
    assert train.dtype == np.int32
    share = train.mean(axis=0)
    np.testing.assert_allclose(
        np.exp(dataset.log_prior), np.stack([1 - share, share], axis=1)
    )
    # Names tell data sets apart.
    other = source(file)["options"] | {"label_names": "x,y,z"}
    assert data.load("npz", other).digest != dataset.digest


def test_splits_of_a_table_are_drawn(file, tmp_path):
    with np.load(file) as arrays:
        kept = {k: x for k, x in arrays.items() if k != "split"}
    np.savez(tmp_path / "whole.npz", **kept)
    dataset = data.load("npz", {"path": str(tmp_path / "whole.npz")})
    assert dataset.label_names == ("0", "1", "2")
    sizes = {k: len(x) for k, x in dataset.splits.items()}
    assert sizes == {"train": 128, "validation": 32, "test": 40}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda y: y * 2, {}, r"'label'\[\d+, \d+\] is 2; in a table"),
        (lambda y: y * [1, 0, 1], {}, r"no training .* label 1 \(1\)"),
        (lambda y: y | [1, 0, 0], {}, "every training example has label 0"),
        (lambda y: np.eye(3, dtype=int)[y[:, 0]], {}, r"argmax\(axis=1\)"),
        (lambda y: y, {"label_names": "x,y"}, "name each of the 3 columns"),
        (lambda y: y, {"label_names": "x,y,x"}, "name each of the 3 columns"),
        (lambda y: y[:, 0], {"label_names": "x,y"}, "'label' has one axis"),
        (lambda y: y, {"num_classes": 3}, "num_classes is for classes"),
        (lambda y: y / 2, {}, "label must be integers"),
    ],
)
def test_tables_that_are_refused(file, tmp_path, change, options, message):
    with np.load(file) as arrays:
        changed = dict(arrays)
    changed["label"] = change(changed["label"].astype(int))
    path = tmp_path / "changed.npz"
    np.savez(path, **changed)
    with pytest.raises(InputError, match=message):
        data.load("npz", {"path": str(path)} | options)


def test_a_module_of_ones_own_is_checked(file):
    dataset = data.load(**source(file))

    def changed(**fields):
        fields = {
            "name": "mine", "class_names": ("no", "yes"),
            "splits": dataset.splits, "label_names": NAMES,
        } | fields  # fmt: skip
        return data.Dataset(**fields)

    assert checked(changed()).label_names == NAMES
    with pytest.raises(InputError, match=r"label must be integers \[n, 2\]"):
        checked(changed(label_names=("a", "b")))
    with pytest.raises(InputError, match="the names of 3"):
        checked(changed(class_names=("a", "b", "c")))
