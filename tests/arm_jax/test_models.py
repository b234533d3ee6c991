import flax.errors
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError
from arm_jax.models import create_model
from tests.arm_jax.helpers import linear

SHAPES = {"a": (5,), "b": (4, 3), "c": (2,)}
MASKS = [[1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]]


@pytest.fixture
def model():
    return create_model(ModelConfig(hidden=(6,), features=7), SHAPES, 4)


@pytest.fixture
def deep():
    config = ModelConfig(hidden=(6,), features=7, head=(5, 3))
    return create_model(config, SHAPES, 4)


@pytest.fixture
def inputs(rng):
    return {
        name: jnp.asarray(rng.normal(size=(9, *shape)), jnp.float32)
        for name, shape in SHAPES.items()
    }


def encoded(absent, inputs):
    """A model, its parameters, features of the inputs, and their means."""
    model = create_model(ModelConfig(absent=absent), SHAPES, 4)
    params = model.init(jax.random.key(0))
    features = model.encode(params, inputs, train=False)
    means = {name: f.mean(0) for name, f in features.items()}
    return model, params, features, means


def test_any_number_of_modalities(inputs):
    for names in (["a"], ["a", "b"], ["a", "b", "c"]):
        shapes = {name: SHAPES[name] for name in names}
        model = create_model(ModelConfig(), shapes, 4)
        params = model.init(jax.random.key(0))
        features = model.encode(params, inputs, train=False)
        assert list(features) == names
        logits = model.head(params, features, jnp.ones(len(names)), {})
        assert logits.shape == (9, 4)


@pytest.mark.parametrize("mask", MASKS)
def test_masked_modalities_have_no_influence(model, inputs, mask, rng):
    params = model.init(jax.random.key(0))
    mask = jnp.asarray(mask, jnp.float32)
    features = model.encode(params, inputs, train=False)
    other = {
        name: x if mask[m] else jnp.asarray(rng.normal(size=x.shape), x.dtype)
        for m, (name, x) in enumerate(features.items())
    }
    np.testing.assert_array_equal(
        model.head(params, features, mask, {}),
        model.head(params, other, mask, {}),
    )


def test_masks_by_row_and_by_vmap_agree(model, inputs):
    params = model.init(jax.random.key(0))
    features = model.encode(params, inputs, train=False)
    masks = jnp.asarray(MASKS, jnp.float32)
    head = lambda mask: model.head(params, features, mask, {})
    mapped = jax.vmap(head)(masks)
    for k, mask in enumerate(masks):
        rows = jnp.broadcast_to(mask, (9, 3))
        one = head(mask)
        np.testing.assert_allclose(mapped[k], one, atol=1e-6)
        np.testing.assert_allclose(head(rows), one, atol=1e-6)


def test_head_is_additive_over_modalities(model, inputs):
    params = model.init(jax.random.key(0))
    features = model.encode(params, inputs, train=False)
    head = lambda mask: model.head(params, features, jnp.asarray(mask), {})
    np.testing.assert_array_equal(head([0.0, 0, 0]), 0)
    parts = sum(head(row) for row in np.eye(3))
    np.testing.assert_allclose(parts, head([1.0, 1, 1]), atol=1e-5)


@pytest.mark.parametrize("absent", ["zero", "mean"])
def test_a_mask_scales_what_modalities_add(inputs, absent):
    model, params, features, means = encoded(absent, inputs)
    layer = lambda name, x: linear(params[f"classifiers_{name}"], x)
    expected = 1.5 * layer("a", features["a"]) + 0.5 * layer("c", features["c"])
    if absent == "mean":
        expected += layer("b", means["b"][None])
    found = model.head(params, features, jnp.array([1.5, 0, 0.5]), means)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_dropout_only_in_training(inputs):
    config = ModelConfig(dropout=0.5)
    model = create_model(config, SHAPES, 4)
    params = model.init(jax.random.key(0))
    encode = lambda key, train=True: model.encode(
        params, inputs, train=train, key=jax.random.key(key)
    )["a"]
    np.testing.assert_array_equal(encode(1, False), encode(2, False))
    drawn = [encode(key) for key in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    # No key is no reason to train as if there were no dropout.
    with pytest.raises(flax.errors.InvalidRngError):
        model.encode(params, inputs, train=True)


def test_a_model_without_dropout_trains_without_a_key(model, inputs):
    params = model.init(jax.random.key(0))
    a, b = (model.encode(params, inputs, train=t)["a"] for t in (True, False))
    np.testing.assert_array_equal(a, b)


def test_windows_share_their_dropout_masks(rng):
    # Windows of equal content differ in nothing but their masks, so that mean
    # and maximum over them agree if the masks do.
    shapes = {"a": (4, 3)}
    config = ModelConfig(
        hidden=(8,), features=5, dropout=0.5, windows={"a": (2, 1)}
    )
    model = create_model(config, shapes, 4)
    params = model.init(jax.random.key(0))
    kernel = params["encoders_a"]["Dense_1"]["kernel"]
    difference = jnp.concatenate([kernel[:8], -kernel[:8]])
    params["encoders_a"]["Dense_1"]["kernel"] = difference
    x = jnp.tile(rng.normal(size=(6, 1, 3)).astype(np.float32), (1, 4, 1))
    features = model.encode(
        params, {"a": x}, train=True, key=jax.random.key(1)
    )["a"]
    np.testing.assert_allclose(features, 0, atol=1e-6)


def test_modalities_are_ordered_by_name():
    # JAX sorts a dict that goes through a transformation: any other order
    # would be lost on the way.
    shapes = {"b": (4, 3), "c": (2,), "a": (5,)}
    model = create_model(ModelConfig(), shapes, 4)
    assert model.modalities == ("a", "b", "c")
    params = model.init(jax.random.key(0))
    inputs = {name: jnp.ones((2, *s)) for name, s in shapes.items()}
    assert list(model.encode(params, inputs, train=False)) == ["a", "b", "c"]


def test_shared_head_is_the_mean_of_one_layer(inputs):
    model = create_model(ModelConfig(), SHAPES, 4, fusion="shared")
    params = model.init(jax.random.key(0))
    features = model.encode(params, inputs, train=False)
    head = lambda mask: model.head(params, features, jnp.asarray(mask), {})
    alone = [head(row) for row in np.eye(3)]
    np.testing.assert_allclose(
        alone[1], linear(params["classifier"], features["b"]), atol=1e-5
    )
    np.testing.assert_allclose(head([1.0, 1, 1]), sum(alone) / 3, atol=1e-5)
    np.testing.assert_allclose(
        head([1.0, 0, 1]), (alone[0] + alone[2]) / 2, atol=1e-5
    )


@pytest.mark.parametrize("absent", ["mean", "token"])
def test_stand_ins_for_absent_modalities(inputs, absent):
    model, params, features, means = encoded(absent, inputs)
    if absent == "token":
        params = params | {"tokens_b": means["b"] + 1}
        stand_in = params["tokens_b"]
    else:
        stand_in = means["b"]
    found = model.head(params, features, jnp.array([1.0, 0, 1]), means)
    filled = features | {"b": jnp.broadcast_to(stand_in, features["b"].shape)}
    np.testing.assert_allclose(
        found, model.head(params, filled, jnp.ones(3), means), atol=1e-5
    )


def test_windows_by_hand(rng):
    config = ModelConfig(hidden=(6,), features=7, windows={"b": (3, 2)})
    model = create_model(config, {"b": (6, 2)}, 4)
    params = model.init(jax.random.key(0))
    x = jnp.asarray(rng.normal(size=(5, 6, 2)), jnp.float32)
    found = model.encode(params, {"b": x}, train=False)["b"]
    first, last = (params["encoders_b"][f"Dense_{k}"] for k in (0, 1))
    windows = [x[:, s : s + 3].reshape(5, 6) for s in (0, 2)]
    hidden = jnp.stack([jax.nn.gelu(linear(first, w)) for w in windows])
    pooled = jnp.concatenate([hidden.mean(0), hidden.max(0)], axis=-1)
    wanted = jax.nn.gelu(linear(last, pooled))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"z": (2, 1)}, "windows has 'z'; the modalities are a, b"),
        ({"b": (5, 1)}, r"windows\.b is \(5, 1\).* at most 4"),
        ({"b": (2, 0)}, r"windows\.b is \(2, 0\)"),
    ],
)
def test_windows_that_do_not_fit(windows, message):
    with pytest.raises(InputError, match=message):
        create_model(ModelConfig(windows=windows), SHAPES, 4)


def test_head_with_hidden_layers_by_hand(deep, inputs):
    params = deep.init(jax.random.key(0))
    features = deep.encode(params, inputs, train=False)
    mask = jnp.array([1.0, 0, 1])
    x = linear(params["classifiers_a"], features["a"])
    x += linear(params["classifiers_c"], features["c"])
    for number in range(2):
        x = linear(params[f"head_layers_{number}"], jax.nn.gelu(x))
    found = deep.head(params, features, mask, {})
    np.testing.assert_allclose(found, x, rtol=1e-5, atol=1e-6)


def test_a_shared_head_is_linear():
    with pytest.raises(InputError, match=r"model\.head is \(5,\); the head"):
        create_model(ModelConfig(head=(5,)), SHAPES, 4, "shared")


def test_unknown_names():
    with pytest.raises(InputError, match="unknown fusion 'sum'"):
        create_model(ModelConfig(), SHAPES, 4, fusion="sum")
    with pytest.raises(InputError, match=r"model\.absent 'noise'"):
        create_model(ModelConfig(absent="noise"), SHAPES, 4)
