"""What prediction makes of examples that lack modalities, as training does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax import evaluation, methods, probing, training
from arm_jax.data import Split
from arm_jax.valuation import modalities_first
from tests.arm_jax import helpers

LOG_PRIOR = np.log(np.full(helpers.CLASSES, 1 / helpers.CLASSES, np.float32))


class Nosy(methods.Method):
    """Looks at all features, and shows what it predicts in training."""

    def loss(self, forward, batch):
        log_probs = forward.log_probs()
        return -log_probs.full.mean(), {"seen": log_probs}

    def fuse(self, head, features, mask, memory, parameters):
        sums = jnp.stack([x.sum(axis=-1) for x in features.values()], axis=-1)
        return head(features, mask) + sums


def test_predictions_are_those_of_training_where_something_is_missing():
    modalities = ("a", "b", "c")
    model, method = helpers.tiny_model(modalities), Nosy()
    state = training.create_state(model, method, optax.identity(), seed=0)
    # With biases, so that an encoder makes something of a blank.
    params = jax.tree.map(lambda x: x + 0.1, state.variables.params)
    state = state.replace(variables=state.variables.replace(params=params))
    batch = helpers.tiny_batch(modalities=modalities)
    batch["mask"][1:3, 0] = batch["mask"][2:7, 2] = 0
    step = training.make_train_step(
        model, method, optax.identity(), LOG_PRIOR, missing=True
    )
    predict = training.make_predict_step(model, method)
    probe = functools.partial(probing.make_step(model, method), {})

    @functools.partial(jax.jit, compiler_options=helpers.QUICKLY)
    def all_of_it(batch):
        _, metrics = step(state, batch)
        found = [f(state.variables, batch) for f in (predict, probe)]
        return metrics, *found

    metrics, log_probs, probed = all_of_it(batch)
    seen = metrics["seen"]
    for x, y in zip(modalities_first(log_probs), seen, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)
    found = jax.nn.log_softmax(probed.logits[:, -1])
    np.testing.assert_allclose(found, seen.full, atol=1e-5)
    # What training measures is what validation does.
    split = Split(
        {}, batch["label"], batch["id"], present=np.float32(batch["mask"])
    )
    expected = evaluation.summarize(
        evaluation.predictions(log_probs, split), modalities, LOG_PRIOR
    )
    for name in ("accuracy", "phi_mi", *(f"phi_cmi_{m}" for m in modalities)):
        np.testing.assert_allclose(metrics[name], expected[name], atol=1e-5)
    # Of a modality alone, over those that have it.
    for m, name in enumerate(modalities):
        right = log_probs.alone[:, m].argmax(-1) == batch["label"]
        has = batch["mask"][:, m] > 0
        assert right[has].mean() != right.mean() or has.all()
        assert expected[f"accuracy_{name}"] == right[has].mean()


def test_deviations_are_of_the_examples_that_have_the_modality(rng):
    count = probing._MEASURED + 200
    x = rng.normal(size=(count, 2)).astype(np.float32)
    present = np.ones((count, 2), np.float32)
    # Nothing in the place of what is missing matters.
    present[: probing._MEASURED, 0] = np.arange(probing._MEASURED) % 2
    a = np.where(present[:, :1] > 0, x, np.nan)
    number = np.arange(count, dtype=np.int32)
    split = Split({"a": a, "b": x}, number % 2, number, present=present)
    found = probing.deviations(split)
    there = x[present[:, 0] > 0][: probing._MEASURED]
    np.testing.assert_allclose(found["a"], there.std(axis=0), rtol=1e-5)
    first = x[: probing._MEASURED]
    np.testing.assert_allclose(found["b"], first.std(axis=0), rtol=1e-5)
