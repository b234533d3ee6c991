import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError
from arm_jax.models import create_model, encoders

# Options with which each encoder takes inputs of a shape.
TEXT = {
    "ids": jax.ShapeDtypeStruct((6,), jnp.int32),
    "mask": jax.ShapeDtypeStruct((6,), jnp.bool_),
}
SMALL = {"width": 8, "layers": 1, "heads": 2, "intermediate": 12}
EXAMPLES = {
    "bert": (TEXT, {"vocabulary": 9, "positions": 8, **SMALL}),
    "mlp": ((4, 3), {}),
    "resnet18": ((8, 9, 2), {"stem": "small", "width": 2}),
    "tokens": (TEXT, {"vocabulary": 9}),
    "vit": ((8, 4, 3), {"patch": 4, **SMALL}),
    "windows": ((6, 2), {"length": 3, "stride": 2}),
}


def inputs_of(name, rng, count=5):
    """A batch of inputs, and how to take a part of it."""
    shape = EXAMPLES[name][0]
    if shape is not TEXT:
        return jnp.asarray(rng.normal(size=(count, *shape)), jnp.float32)
    mask = np.arange(6) < rng.integers(2, 7, count)[:, None]
    return {"ids": jnp.asarray(rng.integers(9, size=(count, 6)), jnp.int32),
            "mask": jnp.asarray(mask)}  # fmt: skip


def build(name, shape=None, **options):
    """A model of one modality `x`, its parameters and state.

    As they start, but drawn by NumPy: `model.init` compiles longer than most
    of these tests.
    """
    example, defaults = EXAMPLES[name]
    block = {"name": name, **defaults, **options}
    config = ModelConfig(hidden=(6,), features=7, encoders={"x": block})
    model = create_model(config, {"x": shape or example}, 3)
    rng = np.random.default_rng(0)

    def draw(path, x):
        if path[-1].key in ("scale", "var"):
            return np.ones(x.shape, x.dtype)
        if len(x.shape) == 1:
            return np.zeros(x.shape, x.dtype)
        spread = np.sqrt(np.prod(x.shape[:-1]))
        return (rng.normal(size=x.shape) / spread).astype(x.dtype)

    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return model, *jax.tree.map_with_path(draw, shapes)


def dense(block, x):
    y = np.asarray(x) @ np.asarray(block["kernel"])
    return y + np.asarray(block.get("bias", 0.0))


def test_every_encoder_has_an_example():
    assert encoders.names() == sorted(EXAMPLES)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_features_are_of_the_example_alone(name, rng):
    model, params, state = build(name)
    x = inputs_of(name, rng)
    encode = jax.jit(lambda x: model.encode(params, state, {"x": x})[0]["x"])
    features = encode(x)
    assert features.shape == (5, model.widths["x"])
    assert np.isfinite(features).all()
    # In prediction, the others of a batch do not matter.
    first = jax.tree.map(lambda x: x[:1], x)
    np.testing.assert_allclose(encode(first), features[:1], atol=1e-5)
    assert jnp.abs(features[0] - features[1]).max() > 1e-4


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_dropout_is_drawn_in_training(name, rng):
    model, params, state = build(name, dropout=0.5)
    x = inputs_of(name, rng)

    @jax.jit
    def encode(key):
        return model.encode(params, state, {"x": x}, train=True, key=key)[0][
            "x"
        ]

    first, second = (encode(jax.random.key(seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_windows_share_their_dropout_masks(rng):
    # Windows of equal content differ in nothing but their masks, so that mean
    # and maximum over them agree if the masks do.
    model, params, state = build(
        "windows", (4, 3), hidden=(8,), features=5, dropout=0.5, length=2,
        stride=1,
    )  # fmt: skip
    layer = params["encoders"]["x"]["Dense_1"]
    layer["kernel"] = jnp.concatenate(
        [layer["kernel"][:8], -layer["kernel"][:8]]
    )
    x = jnp.tile(rng.normal(size=(6, 1, 3)).astype(np.float32), (1, 4, 1))
    features, _ = model.encode(
        params, state, {"x": x}, train=True, key=jax.random.key(1)
    )
    np.testing.assert_allclose(features["x"], 0, atol=1e-6)


def test_windows_by_hand(rng):
    model, params, state = build("windows")
    x = jnp.asarray(rng.normal(size=(5, 6, 2)), jnp.float32)
    found = model.encode(params, state, {"x": x})[0]["x"]
    first, last = (params["encoders"]["x"][f"Dense_{k}"] for k in (0, 1))
    windows = [x[:, s : s + 3].reshape(5, 6) for s in (0, 2)]
    hidden = jnp.stack([jax.nn.gelu(dense(first, w)) for w in windows])
    pooled = jnp.concatenate([hidden.mean(0), hidden.max(0)], axis=-1)
    wanted = jax.nn.gelu(dense(last, pooled))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def convolved(x, kernel, stride):
    """A convolution with PyTorch's padding, by loops over the kernel."""
    size = kernel.shape[0]
    pad = size // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = ((n - size) // stride + 1 for n in x.shape[1:3])
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for i in range(size):
        for j in range(size):
            rows = slice(i, i + stride * (height - 1) + 1, stride)
            columns = slice(j, j + stride * (width - 1) + 1, stride)
            out += x[:, rows, columns] @ kernel[i, j]
    return out


@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_resnet18_by_hand(rng, stem):
    shape = (9, 12, 3) if stem == "small" else (33, 40, 3)
    model, params, state = build(
        "resnet18", shape, stem=stem, width=2, features=0
    )
    assert model.widths["x"] == 16
    blocks = params["encoders"]["x"]
    x = rng.normal(size=(2, *shape))

    def norm(block, name, x):
        # As initialised: mean 0, variance 1.
        scale, bias = block[name]["scale"], block[name]["bias"]
        return x / np.sqrt(1 + 1e-5) * np.asarray(scale) + np.asarray(bias)

    def conv(block, name, x, stride=1):
        return convolved(
            x, np.asarray(block[name]["kernel"], np.float64), stride
        )

    relu = lambda x: np.maximum(x, 0)
    y = conv(blocks, "conv1", x, 1 if stem == "small" else 2)
    y = relu(norm(blocks, "bn1", y))
    if stem == "imagenet":
        padded = np.pad(
            y, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf
        )
        height, width = ((n - 3) // 2 + 1 for n in padded.shape[1:3])
        y = np.max(
            [
                padded[:, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2]
                for i in range(3)
                for j in range(3)
            ],
            axis=0,
        )
    for stage in range(1, 5):
        for number in range(2):
            block = blocks[f"layer{stage}_{number}"]
            stride = 2 if stage > 1 and number == 0 else 1
            z = relu(norm(block, "bn1", conv(block, "conv1", y, stride)))
            z = norm(block, "bn2", conv(block, "conv2", z))
            if "downsample_conv" in block:
                y = norm(block, "downsample_bn",
                         conv(block, "downsample_conv", y, stride))  # fmt: skip
            y = relu(y + z)
    assert ("downsample_conv" in blocks["layer1_0"]) is False
    assert "downsample_conv" in blocks["layer2_0"]
    images = {"x": jnp.asarray(x, jnp.float32)}
    found = jax.jit(model.encode)(params, state, images)[0]["x"]
    np.testing.assert_allclose(found, y.mean((1, 2)), rtol=1e-3, atol=1e-4)


def test_statistics_move_in_training_alone(rng):
    model, params, state = build("resnet18")
    x = {"x": jnp.asarray(2 + rng.normal(size=(6, 8, 9, 2)), jnp.float32)}
    encode = functools.partial(model.encode, params, state)
    same, new = jax.jit(
        lambda x, key: (encode(x)[1], encode(x, train=True, key=key)[1])
    )(x, jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, same, state["encoders"])
    kernel = params["encoders"]["x"]["conv1"]["kernel"]
    y = convolved(np.asarray(x["x"]), np.asarray(kernel), 1)
    moved = new["x"]["batch_stats"]["bn1"]
    np.testing.assert_allclose(
        moved["mean"], 0.1 * y.mean((0, 1, 2)), rtol=1e-3, atol=1e-5
    )
    # As PyTorch keeps it, the unbiased one.
    unbiased = y.reshape(-1, y.shape[-1]).var(0, ddof=1)
    np.testing.assert_allclose(moved["var"], 0.9 + 0.1 * unbiased, rtol=2e-5)


@pytest.mark.parametrize("synchronize", [True, False])
def test_statistics_of_all_devices(rng, synchronize):
    model, params, state = build("resnet18", synchronize=synchronize)
    x = jnp.asarray(rng.normal(size=(8, 8, 9, 2)), jnp.float32)

    def encode(x, axis_name=None):
        return model.encode(
            params, state, {"x": x}, train=True, key=jax.random.key(0),
            axis_name=axis_name,
        )  # fmt: skip

    whole, statistics = jax.jit(encode)(x)
    parts, of_parts = jax.pmap(
        lambda x: encode(x, "devices"), axis_name="devices"
    )(x.reshape(2, 4, 8, 9, 2))
    close = np.allclose(parts["x"].reshape(8, -1), whole["x"], atol=1e-4)
    assert close == synchronize
    first = jax.tree.map(lambda x: x[0], of_parts)
    same = jax.tree.map(lambda a, b: np.allclose(a, b, atol=1e-4), first,
                        statistics)  # fmt: skip
    assert all(jax.tree.leaves(same)) == synchronize


def test_tokens_are_a_bag_of_those_that_are_there(rng):
    model, params, state = build("tokens")
    encode = lambda x: model.encode(params, state, {"x": x})[0]["x"]
    x = inputs_of("tokens", rng)
    features = encode(x)
    # Neither the order matters nor what is masked.
    order = jnp.argsort(~x["mask"], axis=1, stable=True)[:, ::-1]
    turned = {k: jnp.take_along_axis(v, order, axis=1) for k, v in x.items()}
    np.testing.assert_allclose(encode(turned), features, atol=1e-6)
    other = {**x, "ids": jnp.where(x["mask"], x["ids"], 8)}
    np.testing.assert_allclose(encode(other), features, atol=1e-6)
    # By hand: the mean of the embeddings, through one layer and the last.
    block = params["encoders"]["x"]
    table = np.asarray(block["embedding"]["embedding"])
    mean = np.stack(
        [
            table[i[m]].mean(axis=0)
            for i, m in zip(*map(np.asarray, x.values()), strict=True)
        ]
    )
    hidden = jax.nn.gelu(dense(block["Dense_0"], mean))
    by_hand = jax.nn.gelu(dense(block["Dense_1"], hidden))
    np.testing.assert_allclose(features, by_hand, atol=1e-5)


@pytest.mark.parametrize("name", ["tokens", "bert"])
def test_tokens_outside_the_vocabulary_are_no_numbers(rng, name):
    model, params, state = build(name)
    encode = jax.jit(lambda x: model.encode(params, state, {"x": x})[0]["x"])
    for bad in (-1, 9):
        x = inputs_of(name, rng)
        x["ids"] = x["ids"].at[2, 0].set(bad)
        # A token that is masked is none.
        x["ids"] = x["ids"].at[1].set(jnp.where(x["mask"][1], x["ids"][1], bad))
        nan = np.isnan(encode(x)).all(axis=1)
        np.testing.assert_array_equal(nan, np.arange(5) == 2)


@pytest.mark.parametrize("name", ["mlp", "resnet18", "windows"])
def test_bytes_are_pixels_from_minus_one_to_one(name, rng):
    model, params, state = build(name)
    x = rng.integers(256, size=(3, *EXAMPLES[name][0]), dtype=np.uint8)
    encode = lambda x: model.encode(params, state, {"x": x})[0]["x"]
    scaled = jnp.asarray(x / 127.5 - 1, jnp.float32)
    np.testing.assert_allclose(encode(x), encode(scaled), atol=1e-5)
    integers = x.astype(np.int32)
    np.testing.assert_array_equal(
        encode(integers), encode(x.astype(np.float32))
    )


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("mlp", EXAMPLES["tokens"][0], "mlp takes one array, .* ids, mask"),
        ("tokens", (6,), r"tokens needs `ids` and `mask` .* got \(6,\)"),
        ("bert", (6,), r"bert needs `ids` and `mask` .* got \(6,\)"),
        (
            "tokens",
            {"ids": jax.ShapeDtypeStruct((6,), jnp.int32)},
            r"tokens needs .* got \{'ids': \(6,\)\}",
        ),
    ],
)
def test_encoders_and_modalities_that_do_not_fit(name, shape, message):
    with pytest.raises(InputError, match=f"config model.encoders.x: {message}"):
        build(name, shape)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("mlp", {"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ("windows", {"dropout": -0.5}, r"dropout .* got -0.5"),
        ("tokens", {"dropout": float("nan")}, "dropout .* got nan"),
        ("resnet18", {"dropout": 1.5}, "dropout .* got 1.5"),
        ("bert", {"dropout": 1.5}, "dropout .* got 1.5"),
        ("vit", {"dropout": 1.5}, "dropout .* got 1.5"),
        ("mlp", {"features": 0}, "features must be at least 1, got 0"),
        ("mlp", {"hidden": (4, 0)}, r"hidden .* at least 1, got \(4, 0\)"),
        ("windows", {"hidden": (-1,)}, r"hidden .* got \(-1,\)"),
        ("tokens", {"vocabulary": 0}, "vocabulary must be at least 1, got 0"),
        ("resnet18", {"width": 0}, "width must be at least 1, got 0"),
        ("resnet18", {"features": -1}, "features must be at least 0, got -1"),
        ("resnet18", {"mean": (float("nan"),)}, "mean must be finite"),
        ("resnet18", {"std": (float("nan"),)}, "std must be positive"),
        ("bert", {"layers": -1}, "layers must be at least 0, got -1"),
        ("bert", {"offset": -1}, "offset must be at least 0, got -1"),
        ("bert", {"epsilon": 0.0}, "epsilon must be positive, got 0.0"),
        ("vit", {"intermediate": -2}, "intermediate .* at least 1, got -2"),
    ],
)
def test_options_that_cannot_be(name, option, message):
    with pytest.raises(
        InputError, match=f"config model.encoders.x: {name}: {message}"
    ):
        build(name, **option)
