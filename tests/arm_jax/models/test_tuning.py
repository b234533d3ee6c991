"""Encoders that are frozen, in part, or trained at a rate of their own."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods, optimizers, training
from arm_jax.config import ModelConfig, OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.models import create_model
from tests.arm_jax import helpers

SGD = OptimizerConfig(name="sgd", learning_rate=0.1, schedule="constant")
# Of the tiny task: all of `a`, a part of `image`.
TUNED = {
    "a": {"frozen": True},
    "b": {"learning_rate": 0.01},
    "image": {**helpers.NORMED, "frozen": ("Dense_0",)},
}


def model_of(encoders, modalities=("a", "b", "image")):
    shapes = {name: helpers.SHAPES[name] for name in modalities}
    config = ModelConfig(hidden=(6,), features=5, encoders=encoders)
    return create_model(config, shapes, helpers.CLASSES)


@functools.cache
def steps(name, config=SGD, modalities=("a", "b", "image"), tuned=True):
    """A model, its start, and a step that is not compiled yet."""
    method = methods.create(name, {})
    blocks = TUNED if tuned else {"image": helpers.NORMED}
    blocks = {m: block for m, block in blocks.items() if m in modalities}
    model = model_of(blocks, modalities)
    if method.needs_fusion:
        config_of = ModelConfig(hidden=(6,), features=5, encoders=blocks)
        shapes = {m: helpers.SHAPES[m] for m in modalities}
        model = create_model(
            config_of, shapes, helpers.CLASSES, method.needs_fusion
        )
    optimizer = optimizers.create(config, 10, model.tuning)
    log_prior = np.log(np.full(helpers.CLASSES, 1 / 3, np.float32))
    step = training.make_train_step(model, method, optimizer, log_prior)
    state = training.create_state(model, method, optimizer, seed=0)
    return model, state, step


def after(name, count=3, **options):
    """States before and behind some steps."""
    _, state, step = steps(name, **options)
    modalities = options.get("modalities", ("a", "b", "image"))
    batch = helpers.tiny_batch(modalities=modalities)
    step = jax.jit(step, compiler_options=helpers.QUICKLY)
    first = state
    for _ in range(count):
        state, metrics = step(state, batch)
    return first, state, metrics


def changed(before, after):
    return jax.tree.map(lambda a, b: not np.array_equal(a, b), before, after)


# Of those that touch gradients; two more are run below.
@pytest.mark.parametrize("name", ["agm", "mmpareto", "ogm_ge"])
def test_methods_that_combine_gradients_of_frozen_encoders(name):
    modalities = ("a", "b")
    _, state, step = steps(name, modalities=modalities)
    new, _ = jax.eval_shape(step, state, helpers.tiny_batch())
    assert jax.tree.structure(new) == jax.tree.structure(state)


@pytest.mark.parametrize("name", ["joint", "mla"])
def test_what_is_frozen_stays_and_has_no_moments(name):
    config = dataclasses.replace(SGD, weight_decay=0.1, clip_norm=1.0)
    first, last, metrics = after(name, config=config)
    moved = changed(
        first.variables.params["encoders"], last.variables.params["encoders"]
    )
    assert not any(jax.tree.leaves(moved["a"]))
    assert all(jax.tree.leaves(moved["b"]))
    assert not any(jax.tree.leaves(moved["image"]["Dense_0"]))
    assert all(jax.tree.leaves(moved["image"]["BatchNorm_0"]))
    # The statistics of an encoder that is frozen in part go on.
    assert all(
        jax.tree.leaves(
            changed(
                first.variables.state["encoders"]["image"],
                last.variables.state["encoders"]["image"],
            )
        )
    )
    # One moment for each parameter that is trained, and no more.
    sizes = lambda tree: sorted(x.shape for x in jax.tree.leaves(tree))
    params = last.variables.params
    trained = [
        params["encoders"]["b"],
        params["encoders"]["image"]["BatchNorm_0"],
        params["head"],
    ]
    moments = [x for x in jax.tree.leaves(last.opt_state) if x.ndim]
    assert sizes(moments) == sizes(trained)
    assert np.isfinite(metrics["gradient_norm"])


def test_a_frozen_encoder_is_in_training_what_it_is_in_prediction():
    blocks = {
        "a": {"frozen": True, "dropout": 0.5},
        "image": {**helpers.NORMED, "frozen": True},
    }
    model = model_of(blocks, ("a", "image"))
    params, state = model.init(jax.random.key(0))
    inputs = helpers.tiny_batch(modalities=("a", "image"))["inputs"]
    still, _ = model.encode(params, state, inputs)
    moving, kept = model.encode(
        params, state, inputs, train=True, key=jax.random.key(1)
    )
    jax.tree.map(np.testing.assert_array_equal, moving, still)
    jax.tree.map(np.testing.assert_array_equal, kept, state["encoders"])
    # Nothing is computed on the way back.
    model = model_of({"a": {"frozen": ("Dense_0",)}}, ("a",))
    params, state = model.init(jax.random.key(0))
    found = jax.grad(lambda p: model.encode(p, state, inputs)[0]["a"].sum())(
        params
    )["encoders"]["a"]
    assert not any(np.any(x) for x in jax.tree.leaves(found["Dense_0"]))
    assert all(np.any(x) for x in jax.tree.leaves(found["Dense_1"]))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_own_rates_are_those_of_an_optimiser_of_that_rate(name):
    config = OptimizerConfig(
        name=name, learning_rate=0.1, weight_decay=0.1, warmup=0.2
    )
    model = model_of({"b": {"learning_rate": 0.02}}, ("a", "b"))
    params = {
        "encoders": {
            "a": {"Dense_0": {"kernel": jnp.ones(2)}},
            "b": {"Dense_0": {"kernel": jnp.ones(3)}},
        },
        "head": {"kernel": jnp.ones(4)},
    }
    slow = dataclasses.replace(config, learning_rate=0.02)
    made = [
        optimizers.create(config, 10, model.tuning),
        optimizers.create(config, 10),
        optimizers.create(slow, 10),
    ]

    def run(params):
        found = []
        for optimizer in made:
            state, x = optimizer.init(params), params
            for number in range(4):
                gradients = jax.tree.map(lambda p, n=number: p + n, x)
                updates, state = optimizer.update(gradients, state, x)
                x = jax.tree.map(jnp.add, x, updates)
            found.append(x)
        return found

    tuned, fast, slowly = jax.jit(run)(params)
    for part in (lambda p: p["encoders"]["a"], lambda p: p["head"]):
        jax.tree.map(np.testing.assert_array_equal, part(tuned), part(fast))
    b = lambda p: p["encoders"]["b"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(b(tuned), b(slowly), rtol=1e-6)
    assert np.abs(b(tuned) - b(fast)).min() > 1e-3


def test_moments_of_frozen_parameters_can_be_held_and_renewed():
    model = model_of({"a": {"frozen": True}}, ("a", "b"))
    optimizer = optimizers.create(
        dataclasses.replace(SGD, name="adamw"), 10, model.tuning
    )
    params = jax.tree.map(
        lambda x: np.ones(x.shape, x.dtype),
        jax.eval_shape(model.init, jax.random.key(0))[0],
    )
    updates, new = optimizer.update(params, optimizer.init(params), params)
    old = optimizer.init(params)
    held = {"encoders": {"a": False, "b": True}, "head": False}
    moved = jax.tree.map(np.add, params, updates)
    kept, state = optimizers.hold(optimizer, held, (params, old), (moved, new))
    assert jax.tree.structure(state) == jax.tree.structure(new)
    assert not any(
        jax.tree.leaves(changed(kept["encoders"], params["encoders"]))
    )
    assert all(jax.tree.leaves(changed(kept["head"], params["head"])))
    every = jax.tree.map(lambda _: np.True_, params)
    again = optimizers.renewed_moments(optimizer, new, params, every)
    moments = [x for x in jax.tree.leaves(again) if x.ndim]
    assert moments
    assert not any(np.any(x) for x in moments)


def test_what_is_for_the_task_is_never_frozen(tmp_path):
    shape = {"x": (8, 8, 3)}
    block = {"name": "resnet18", "stem": "small", "width": 2, "features": 4}

    def of(**options):
        config = ModelConfig(encoders={"x": {**block, **options}})
        return create_model(config, shape, 3).tuning["x"]

    still = of(frozen=True, learning_rate=1e-3)
    assert ("conv1", "kernel") in still.frozen
    assert ("projection", "kernel") not in still.frozen
    assert still.rate(("conv1", "kernel")) == 1e-3
    assert still.rate(("projection", "kernel")) is None
    # From the command line: words, and lists without brackets.
    assert of(frozen="true") == of(frozen=True)
    assert of(frozen="false") == of(frozen=())
    first = of(frozen="conv1, bn1,layer1_*")
    assert first == of(frozen=("conv1", "bn1", "layer1_0", "layer1_1"))
    assert {path[0] for path in first.frozen} == {
        "conv1", "bn1", "layer1_0", "layer1_1",
    }  # fmt: skip
    assert not first.is_frozen
    assert of(frozen="layer4_1/conv2/kernel").frozen == {
        ("layer4_1", "conv2", "kernel")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frozen": 3}, r"x.frozen must be of type bool or str or tuple"),
        ({"frozen": "layer_0"}, "x.frozen names 'layer_0'; .* Dense_0"),
        ({"frozen": ("Dense_0", "")}, "x.frozen names ''"),
        ({"learning_rate": 0.0}, "x.learning_rate must be positive and fin"),
        ({"learning_rate": float("inf")}, "x.learning_rate must be positive"),
        ({"learning_rate": "fast"}, r"x.learning_rate must be of type float"),
        ({"weights": 3}, "x.weights must be of type str"),
        ({"weights_prefix": "a."}, "x.weights_prefix is for weights only"),
        ({"adapt_positions": True}, "x.adapt_positions is for weights only"),
        (
            {"weights": "f", "adapt_channels": "sum"},
            "x.adapt_channels must be one of repeat, mean, got 'sum'",
        ),
        ({"dtype": "float16"}, "has no option 'dtype'"),
    ],
)
def test_options_that_are_wrong(options, message):
    with pytest.raises(InputError, match=f"config .*{message}"):
        create_model(
            ModelConfig(encoders={"x": {"name": "mlp", **options}}),
            {"x": (3,)},
            3,
        )


def test_a_rate_beside_none():
    model = model_of({"b": {"learning_rate": 0.02}}, ("a", "b"))
    config = dataclasses.replace(SGD, learning_rate=0.0)
    with pytest.raises(
        InputError, match=r"model.encoders.b.learning_rate needs an optimizer"
    ):
        optimizers.create(config, 10, model.tuning)
