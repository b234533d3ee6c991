"""Steps and the optimiser, number by number."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import f1_score

from arm_jax import methods, optimizers, parallel, probing, training
from arm_jax.config import ModelConfig, OptimizerConfig
from arm_jax.evaluation import macro_f1
from arm_jax.models import create_model
from tests.arm_jax import helpers

RATE = 0.1
PLAIN = OptimizerConfig(
    name="sgd",
    learning_rate=RATE,
    weight_decay=0.0,
    momentum=0.0,
    schedule="constant",
)
LOG_PRIOR = np.log(np.array([0.5, 0.3, 0.2], np.float32))


def features_of(params, inputs):
    """Of the tiny model, which has no hidden layers."""
    return {
        name: np.asarray(
            jax.nn.gelu(helpers.linear(params["encoders"][name]["Dense_0"], x))
        )
        for name, x in inputs.items()
    }


def log_probs_of(params, features, mask):
    """Of the linear head; `mask` is [modalities] or [batch, modalities]."""
    mask = np.broadcast_to(mask, (len(features["a"]), 2))
    logits = sum(
        mask[:, m, None]
        * np.asarray(helpers.linear(params["head"][f"classifiers_{name}"], x))
        for m, (name, x) in enumerate(features.items())
    )
    return np.asarray(jax.nn.log_softmax(logits))


def norm(tree):
    return np.sqrt(sum(np.sum(np.square(x)) for x in jax.tree.leaves(tree)))


def test_one_step_by_hand():
    model, method = helpers.tiny_model(), methods.create("joint", {})
    optimizer = optimizers.create(PLAIN, 10)
    state = training.create_state(model, method, optimizer, seed=3)
    step = training.make_train_step(model, method, optimizer, LOG_PRIOR)
    batch = helpers.tiny_batch(size=8)
    # The last three are copies, of one modality each.
    batch["mask"][5:] = [[1, 0], [0, 1], [1, 0]]
    new, metrics = jax.jit(step)(state, batch)

    def loss(params):
        features = helpers.encode(model, params, batch["inputs"])
        logits = model.head(params, features, batch["mask"], helpers.NO_STATE)
        log_p = jax.nn.log_softmax(logits)
        return -log_p[jnp.arange(8), batch["label"]].mean()

    params = state.variables.params
    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    moved = jax.tree.map(lambda p, g: p - RATE * g, params, gradient)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
        new.variables.params,
        moved,
    )
    assert int(new.step) == 1
    assert new.key == state.key
    features = features_of(params, batch["inputs"])
    for name, x in features.items():
        np.testing.assert_allclose(
            new.variables.state["means"][name], 0.01 * x.mean(0), atol=1e-6
        )
    # Measured on the complete examples, the first five.
    rows, label = np.arange(5), batch["label"][:5]
    features = {name: x[:5] for name, x in features.items()}
    full, only_b, only_a = (
        log_probs_of(params, features, mask)
        for mask in ([1, 1], [0, 1], [1, 0])
    )
    bits = lambda x, y: np.mean(x - y) / np.log(2)
    at_label = full[rows, label]
    expected = {
        "loss": value,
        "accuracy": np.mean(full.argmax(1) == label),
        "cross_entropy": -at_label.mean(),
        "phi_mi": bits(at_label, LOG_PRIOR[label]),
        "phi_cmi_a": bits(at_label, only_b[rows, label]),
        "phi_cmi_b": bits(at_label, only_a[rows, label]),
        "gradient_norm": norm(gradient),
        "update_norm": RATE * norm(gradient),
        "parameter_norm": norm(moved),
    }
    assert metrics.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(
            metrics[name], value, rtol=1e-4, atol=1e-6, err_msg=name
        )


def test_predictions_of_subsets_by_hand():
    model, method = helpers.tiny_model(), methods.create("joint", {})
    state = training.create_state(model, method, optax.identity(), seed=3)
    params, batch = state.variables.params, helpers.tiny_batch(size=6)
    predict = training.make_predict_step(model, method, features=True)
    log_probs, found = jax.jit(predict)(state.variables, batch)
    features = features_of(params, batch["inputs"])
    both, a, b, neither = (
        log_probs_of(params, features, mask)
        for mask in ([1, 1], [1, 0], [0, 1], [0, 0])
    )
    close = lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5)
    close(log_probs.full, both)
    close(log_probs.alone, np.stack([a, b], axis=1))
    close(log_probs.without, np.stack([b, a], axis=1))
    for name, x in features.items():
        close(found[name], x)
    step = jax.jit(probing.make_step(model, method))
    ones = {"b": np.ones(3, np.float32)}
    probe = step(ones, state.variables, batch)
    # In the order of the coalitions: nobody, a, b, both.
    expected = np.stack([neither, a, b, both], axis=1)
    close(jax.nn.log_softmax(probe.logits), expected)
    right = expected.argmax(-1) == batch["label"][:, None]
    assert len({tuple(row) for row in right.T}) > 2
    # Noise is in b alone, in parts of its deviation.
    drawn = np.asarray(probing._normal(batch["id"], (0, 0), (3,)))
    noisy = [
        features_of(params, {"b": batch["inputs"]["b"] + level * drawn})
        for level in probing.LEVELS
    ]
    found = [
        log_probs_of(params, features | x, [1, 1]).argmax(1) for x in noisy
    ]
    right_in_noise = np.stack(found, axis=1) == batch["label"][:, None]
    assert len({tuple(row) for row in right_in_noise.T}) > 1
    np.testing.assert_array_equal(probe.noisy[:, 0], right_in_noise)
    # It is that of an example, wherever it is in a batch.
    assert probe.noisy.shape == (6, 1, len(probing.LEVELS))
    turned = jax.tree.map(lambda x: x[::-1], batch)
    again = step(ones, state.variables, turned)
    np.testing.assert_array_equal(again.noisy[::-1], probe.noisy)
    # Without noise nothing changes.
    still = {"b": np.zeros(3, np.float32)}
    noisy = step(still, state.variables, batch).noisy
    np.testing.assert_array_equal(
        noisy[:, 0], np.repeat(right[:, -1:], len(probing.LEVELS), axis=1)
    )


def test_pixels_with_noise_are_pixels():
    x = jnp.array([0, 1, 254, 255, 7], jnp.uint8)
    found = probing._added(x, jnp.array([-3, 0.4, 9, 0.6, 2.6]))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, [0, 1, 255, 255, 10])


def test_what_is_missing_has_no_influence():
    """Bitwise: not on a step, its statistics included, nor on predictions."""
    modalities = ("a", "image")
    model = helpers.tiny_model(modalities)
    method, optimizer = methods.create("joint", {}), optimizers.create(PLAIN, 9)
    state = training.create_state(model, method, optimizer, seed=0)
    batch = helpers.tiny_batch(modalities=modalities)
    batch["mask"][1:3, 0] = batch["mask"][4:7, 1] = 0
    other = {
        **batch,
        "inputs": {k: x.copy() for k, x in batch["inputs"].items()},
    }
    other["inputs"]["a"][1:3] = np.nan
    other["inputs"]["image"][4:7] = 1e9
    step = training.make_train_step(
        model, method, optimizer, LOG_PRIOR, missing=True
    )
    predict = training.make_predict_step(model, method, features=True)
    probe = functools.partial(
        probing.make_step(model, method), {"a": np.ones(4, np.float32)}
    )

    @functools.partial(jax.jit, compiler_options=helpers.QUICKLY)
    def all_of_it(batch):
        found = [f(state.variables, batch) for f in (predict, probe)]
        return step(state, batch), found

    once, again = all_of_it(batch), all_of_it(other)
    data = lambda x: (
        jax.random.key_data(x)
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
        else x
    )
    for x, y in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(data(x), data(y))
    # What is there has one.
    other["inputs"]["a"][0] += 1
    (new, _), _ = all_of_it(other)
    means = once[0][0].variables.state["means"]
    assert not np.array_equal(new.variables.state["means"]["a"], means["a"])
    # A mean is over those that have the modality.
    features = features_of(state.variables.params, {"a": batch["inputs"]["a"]})
    has = batch["mask"][:, 0] > 0
    np.testing.assert_allclose(
        means["a"], 0.01 * features["a"][has].mean(axis=0), rtol=1e-5
    )


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_layers_train_in_training_alone(dropout):
    config = ModelConfig(features=5, dropout=dropout)
    shapes = {name: helpers.SHAPES[name] for name in "ab"}
    model = create_model(config, shapes, helpers.CLASSES)
    modes = []

    def encode(*arguments, train=False, key=None, **options):
        modes.append((train, key is not None))
        return model.encode(*arguments, train=train, key=key, **options)

    watched, method = model._replace(encode=encode), methods.create("joint", {})
    state = jax.eval_shape(
        lambda: training.create_state(model, method, optax.identity(), 0)
    )
    batch = helpers.tiny_batch()
    step = training.make_train_step(
        watched, method, optax.identity(), LOG_PRIOR
    )
    jax.eval_shape(step, state, batch)
    assert set(modes) == {(True, True)}
    modes.clear()
    scales = {"a": np.ones(4, np.float32)}
    for step in (
        training.make_predict_step(watched, method),
        functools.partial(probing.make_step(watched, method), scales),
    ):
        jax.eval_shape(step, state.variables, batch)
    assert set(modes) == {(False, False)}


def test_dropout_masks_are_nowhere_the_same():
    """Neither by device, example and modality, nor by step and seed."""

    def loss(forward, batch):
        gathered = map(forward.gather, forward.features.values())
        return jnp.zeros(()), {"features": jnp.stack(list(gathered))}

    method = methods.PlainLoss(function=loss, options={})
    config = ModelConfig(hidden=(16,), features=5, dropout=0.5)
    model = create_model(config, {"a": (3,), "b": (3,)}, helpers.CLASSES)
    step = training.make_train_step(
        model,
        method,
        optax.identity(),
        LOG_PRIOR,
        axis_name=parallel.AXIS,
    )
    seeds = [
        training.create_state(model, method, optax.identity(), seed)
        for seed in range(2)
    ]
    # Equal encoders and inputs: features differ by their masks alone.
    params = seeds[0].variables.params
    encoders = dict.fromkeys("ab", params["encoders"]["a"])
    params = {**params, "encoders": encoders}
    seeds = [
        state.replace(variables=state.variables.replace(params=params))
        for state in seeds
    ]
    state = parallel.replicate(jax.tree.map(lambda *x: jnp.stack(x), *seeds))
    examples = 4 * jax.local_device_count()
    batch = {
        "inputs": {m: np.ones((2, examples, 3), np.float32) for m in "ab"},
        "label": np.zeros((2, examples), np.int32),
        "mask": np.ones((2, examples, 2), np.float32),
    }
    update, drawn = parallel.update(step), []
    for _ in range(2):
        state, metrics = update((), state, parallel.split(batch, axis=1))
        drawn.append(np.asarray(jax.block_until_ready(metrics["features"])))
    drawn = np.stack(drawn)
    assert drawn.shape == (2, 2, 2, examples, 5)  # steps, seeds, modalities
    assert jax.local_device_count() > 1
    different = len(np.unique(drawn.reshape(-1, 5), axis=0))
    assert different == drawn.size // 5


def updates(config, gradients, total_steps, start=2.0):
    """The updates of one number that starts at `start`."""
    optimizer = optimizers.create(config, total_steps)
    parameter = jnp.asarray(start)
    state, found = optimizer.init(parameter), []
    step = jax.jit(optimizer.update)
    for gradient in gradients:
        update, state = step(jnp.asarray(gradient), state, parameter)
        found.append(float(update))
        parameter += update
    return found


def test_constant_schedule_after_its_warm_up():
    config = dataclasses.replace(PLAIN, warmup=0.4)
    found = updates(config, [1.0] * 10, 10)
    # Four of ten steps rise, the first from 0.
    wanted = [RATE * min(t / 4, 1) for t in range(10)]
    np.testing.assert_allclose(found, -np.array(wanted), atol=1e-7)


@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_cosine_schedule_ends_at_nothing(warmup):
    config = dataclasses.replace(PLAIN, schedule="cosine", warmup=warmup)
    found = updates(config, [1.0] * 9, 8)
    # A warm-up is a part of the steps, and takes nothing off the end.
    rising, falling = (2, 6) if warmup else (0, 8)
    wanted = RATE * (1 + np.cos(np.pi * np.arange(falling + 1) / falling)) / 2
    wanted = [*(RATE * np.arange(rising) / 2), *wanted]
    np.testing.assert_allclose(found, -np.array(wanted), atol=1e-7)


def test_momentum_and_decay_of_sgd():
    config = dataclasses.replace(PLAIN, momentum=0.5, weight_decay=0.25)
    first, second = updates(config, [1.0, 0.0], 10)
    moved = 2 - RATE * (1 + 0.25 * 2)
    assert first == pytest.approx(moved - 2)
    assert second == pytest.approx(-RATE * (0.5 * 1.5 + 0.25 * moved))


def test_decay_of_adamw_is_apart_from_the_gradient():
    config = dataclasses.replace(PLAIN, name="adamw", weight_decay=0.25)
    with_decay, without = (
        updates(c, [0.5], 10)[0]
        for c in (
            config,
            dataclasses.replace(config, weight_decay=0.0),
        )
    )
    assert without == pytest.approx(-RATE, rel=1e-5)
    assert with_decay - without == pytest.approx(-RATE * 0.25 * 2, rel=1e-5)


def test_clipping_is_of_the_gradient():
    config = dataclasses.replace(PLAIN, clip_norm=0.5, weight_decay=0.25)
    large, small = updates(config, [10.0], 10), updates(config, [0.25], 10)
    assert large == pytest.approx([-RATE * (0.5 + 0.25 * 2)])
    assert small == pytest.approx([-RATE * (0.25 + 0.25 * 2)])


def test_mean_over_devices_is_that_of_all_weights(rng):
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    weight = np.array([[1, 1, 1, 1], [1, 0, 0, 0]], np.float32)
    forward = helpers.bare_forward({"a": np.zeros((4, 2))})
    forward = forward._replace(axis_name="devices")
    found = jax.vmap(forward.mean, axis_name="devices")(x, weight)
    joined = np.concatenate(x, axis=-1)
    expected = np.average(joined, axis=-1, weights=weight.ravel())
    np.testing.assert_allclose(found, [expected] * 2, rtol=1e-5)
    unweighted = jax.vmap(forward.mean, axis_name="devices")(x)
    np.testing.assert_allclose(unweighted[0], joined.mean(-1), atol=1e-6)


def test_normal_numbers_do_not_depend_on_the_devices():
    forward = helpers.bare_forward({"a": np.zeros((8, 2))})
    whole = forward.normal(3)
    parts = jax.vmap(
        lambda x: forward._replace(
            features={"a": x}, axis_name="devices"
        ).normal(3),
        axis_name="devices",
    )(jnp.zeros((2, 4, 2)))
    np.testing.assert_allclose(parts.reshape(8, 3), whole, atol=1e-6)
    assert len(np.unique(whole)) == whole.size


def test_macro_f1_is_that_of_scikit_learn(rng):
    predicted, label = rng.integers(5, size=(2, 40))
    label[label == 4] = 0  # predicted, and never right
    expected = f1_score(label, predicted, average="macro", zero_division=0)
    assert macro_f1(predicted, label) == pytest.approx(expected)
