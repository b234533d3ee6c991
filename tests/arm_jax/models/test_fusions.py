import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.models import create_model, fusions

SHAPES = {"a": (5,), "b": (4, 3), "c": (2,)}
MASKS = [[1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]]
EVERY = [
    (name, head, absent)
    for name in fusions.names()
    for head in ((), (6, 5))
    for absent in fusions.ABSENT
    if not (name == "shared" and (head or absent != "zero"))
]


@functools.cache
def build(name, head=(), absent="zero", seed=0, **options):
    """A model, its parameters, state, and random features.

    Made once for all tests: what is eager compiles each operation by itself.
    """
    config = ModelConfig(
        hidden=(6,),
        features=7,
        head=head,
        absent=absent,
        fusion={"name": name, **options},
    )
    model = create_model(config, SHAPES, 4)
    shapes, state = jax.eval_shape(model.init, jax.random.key(seed))
    model = model._replace(head=jax.jit(model.head))
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
    # Nothing may hold by an initial value alone, and those compile long.
    params = jax.tree.map(lambda x: np.float32(0.5) * draw(*x.shape), shapes)
    state = {**state, "means": {m: draw(7) for m in SHAPES}}
    return model, params, state, {m: draw(9, 7) for m in SHAPES}


def dense(block, x):
    y = np.asarray(x) @ np.asarray(block["kernel"])
    return y + np.asarray(block.get("bias", 0.0))


def test_names():
    assert fusions.names() == [
        "concat", "film", "gated", "low_rank", "shared", "sum",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "head", "absent"), EVERY)
def test_masked_modalities_have_no_influence(name, head, absent, rng):
    model, params, state, features = build(name, head, absent)
    run = lambda x, mask: np.asarray(
        model.head(params, x, np.asarray(mask, np.float32), state)
    )
    for mask in MASKS:
        other = {
            name: x if mask[m] else x + 1 + np.abs(x)
            for m, (name, x) in enumerate(features.items())
        }
        first, second = (run(x, mask) for x in (features, other))
        np.testing.assert_array_equal(first, second)
        assert np.isfinite(first).all()
    # Those that are present have some.
    moved, full = (run(x, np.ones(3)) for x in (other, features))
    assert (np.abs(moved - full).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize(("name", "head", "absent"), EVERY)
def test_masks_by_row_and_by_vmap_agree(name, head, absent):
    model, params, state, features = build(name, head, absent)
    masks = np.asarray([*MASKS, [1.5, 0, 0.5]], np.float32)
    head_of = lambda mask: model.head(params, features, mask, state)
    rows = np.broadcast_to(masks[:, None], (len(masks), 9, 3))
    # In one program, which compiles faster than two.
    mapped, by_row = jax.jit(
        lambda *given: [jax.vmap(head_of)(x) for x in given]
    )(masks, rows)
    np.testing.assert_allclose(mapped, by_row, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        mapped[1], head_of(masks[1]), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("name", "head", "absent"), EVERY)
def test_gradients_are_finite_where_nobody_is_present(name, head, absent):
    model, params, state, features = build(name, head, absent)

    def total(params, features, mask):
        return model.head(params, features, mask, state).sum()

    gradient = jax.jit(jax.grad(total, (0, 1)))
    for mask in np.zeros(3, np.float32), np.ones(3, np.float32):
        for leaf in jax.tree.leaves(gradient(params, features, mask)):
            assert np.isfinite(leaf).all()


@pytest.mark.parametrize("absent", ["mean", "token"])
@pytest.mark.parametrize("name", ["concat", "film", "gated", "low_rank", "sum"])
def test_stand_ins_are_as_if_they_were_the_features(name, absent):
    model, params, state, features = build(name, (6,), absent)
    stand_in = (
        state["means"]["b"] if absent == "mean" else params["head"]["tokens_b"]
    )
    without = model.head(params, features, jnp.array([1.0, 0, 1]), state)
    filled = features | {"b": jnp.broadcast_to(stand_in, (9, 7))}
    np.testing.assert_allclose(
        without,
        model.head(params, filled, jnp.ones(3), state),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(("name", "head", "absent"), EVERY)
def test_additive_means_that_logits_are_a_sum(name, head, absent):
    model, params, state, features = build(name, head, absent)
    head_of = lambda mask: np.asarray(
        model.head(params, features, mask.astype(np.float32), state)
    )
    nobody = head_of(np.zeros(3))
    parts = sum(head_of(row) - nobody for row in np.eye(3))
    error = np.abs(parts + nobody - head_of(np.ones(3))).max()
    assert model.additive == bool(error < 1e-4)


def test_concat_by_hand():
    model, params, state, features = build("concat", (5, 3))
    mask = jnp.array([1.0, 0, 0.5])
    x = dense(params["head"]["classifiers_a"], features["a"])
    x += 0.5 * dense(params["head"]["classifiers_c"], features["c"])
    for number in range(2):
        x = dense(params["head"][f"head_layers_{number}"], jax.nn.gelu(x))
    np.testing.assert_allclose(
        model.head(params, features, mask, state), x, rtol=1e-5, atol=1e-5
    )


def test_shared_is_the_mean_of_one_layer():
    model, params, state, features = build("shared")
    layer = lambda name: dense(params["head"]["classifier"], features[name])
    head = lambda *mask: model.head(params, features, jnp.array(mask), state)
    np.testing.assert_allclose(head(0.0, 1, 0), layer("b"), rtol=1e-5)
    np.testing.assert_allclose(
        head(1.0, 0, 1), (layer("a") + layer("c")) / 2, rtol=1e-5, atol=1e-6
    )


def test_sum_by_hand():
    model, params, state, features = build("sum", (5,))
    x = dense(params["head"]["head_layers_0"], features["a"] + features["c"])
    expected = dense(params["head"]["head_layers_1"], jax.nn.gelu(x))
    found = model.head(params, features, jnp.array([1.0, 0, 1]), state)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_film_by_hand():
    model, params, state, features = build("film")
    head = params["head"]
    expected = 0.0
    for name, other in (("a", "c"), ("c", "a")):
        modulation = dense(
            head[f"modulations_{name}_by_{other}"], features[other]
        )
        scale, shift = modulation[:, :7], modulation[:, 7:]
        x = (1 + scale) * features[name] + shift
        expected += dense(head[f"classifiers_{name}"], x)
    found = model.head(params, features, jnp.array([1.0, 0, 1]), state)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    # Alone, nothing modulates.
    alone = model.head(params, features, jnp.array([0.0, 1, 0]), state)
    np.testing.assert_allclose(
        alone, dense(head["classifiers_b"], features["b"]), rtol=1e-5, atol=1e-5
    )


def test_gated_by_hand():
    model, params, state, features = build("gated", width=3)
    head = params["head"]
    gates = dense(head["gates_a"], features["a"])
    gates += dense(head["gates_c"], features["c"])
    x = 0.0
    for m, name in ((0, "a"), (2, "c")):
        gate = jax.nn.sigmoid(gates[:, 3 * m : 3 * m + 3])
        x += gate * jnp.tanh(dense(head[f"hidden_{name}"], features[name]))
    found = model.head(params, features, jnp.array([1.0, 0, 1]), state)
    expected = dense(head["head_layers_0"], x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_low_rank_is_the_tensor_of_its_factors():
    model, params, state, features = build("low_rank", rank=2)
    head = params["head"]
    # W[i, j, k, y] of (x_a, 1), (x_b, 1), (x_c, 1), in full.
    factors = [
        np.concatenate(
            [
                head[f"factor_layers_{name}"]["kernel"],
                head[f"factor_layers_{name}"]["bias"][None],
            ]
        ).reshape(8, 2, 4)
        for name in SHAPES
    ]
    tensor = np.einsum("iry,jry,kry,r->ijky", *factors, head["ranks"][:, 0])
    for mask in MASKS:
        x = [
            np.concatenate([keep * np.asarray(f), np.ones((9, 1))], axis=1)
            for keep, f in zip(mask, features.values(), strict=True)
        ]
        expected = np.einsum("ni,nj,nk,ijky->ny", *x, tensor)
        expected += np.asarray(head["bias"])
        found = model.head(
            params, features, jnp.asarray(mask, jnp.float32), state
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
