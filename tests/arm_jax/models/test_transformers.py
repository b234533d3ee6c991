"""BERT and ViT by hand, their frames and types; the goldens are elsewhere."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError
from arm_jax.models import attention, create_model
from arm_jax.models.encoders import resnet18

LENGTH = 6
TEXT = {
    "ids": jax.ShapeDtypeStruct((LENGTH,), jnp.int32),
    "mask": jax.ShapeDtypeStruct((LENGTH,), jnp.bool_),
}
SIZES = {"width": 8, "layers": 2, "heads": 2, "intermediate": 12}
BERT = {
    "name": "bert", "vocabulary": 9, "positions": 8, "epsilon": 1e-3, **SIZES,
}  # fmt: skip
VIT = {"name": "vit", "patch": 4, "epsilon": 1e-3, **SIZES}


def made(block, shape, **options):
    """A model of one modality, with numbers that are far from its start."""
    config = ModelConfig(features=0, encoders={"x": block}, **options)
    model = create_model(config, {"x": shape}, 3)
    params, state = jax.eval_shape(model.init, jax.random.key(0))
    rng = np.random.default_rng(5)
    draw = lambda x: (0.4 * rng.normal(size=x.shape)).astype(x.dtype)
    start = jax.tree.map(draw, params), zeros(state)
    return model, *start


def zeros(tree):
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), tree)


def ones(tree):
    return jax.tree.map(np.ones_like, tree)


def text(rng, count=3):
    mask = np.arange(LENGTH) < np.array([LENGTH, 4, 2])[:count, None]
    ids = rng.integers(9, size=(count, LENGTH)).astype(np.int32)
    return {"ids": ids, "mask": mask}


def dense(block, x):
    kernel = np.asarray(block["kernel"], np.float64)
    return x @ kernel.reshape(-1, kernel.shape[-1]) + block["bias"]


def norm(block, x):
    centered = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-3)
    return centered / deviation * block["scale"] + block["bias"]


def gelu(x):
    return x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2


def attended(block, x, there):
    """Attention of one example, head by head."""
    query, key, value = (dense(block[n], x) for n in ("query", "key", "value"))
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        scores = query[:, part] @ key[:, part].T / 2.0
        scores = np.where(there, scores, -np.inf)
        shares = scipy.special.softmax(scores, axis=-1)
        heads.append(shares @ value[:, part])
    return dense(block["attention"], np.concatenate(heads, axis=-1))


def wide(block, x):
    return dense(block["output"], gelu(dense(block["intermediate"], x)))


def encode(model, params, state, x, **options):
    return jax.jit(lambda *args: model.encode(*args, **options))(
        params, state, {"x": x}
    )[0]["x"]


@pytest.mark.parametrize("offset", [0, 2])
def test_bert_by_hand(rng, offset):
    model, params, state = made({**BERT, "offset": offset}, TEXT)
    blocks, x = params["encoders"]["x"], text(rng)
    table = lambda name: blocks[name]["embedding"].astype(np.float64)
    hidden = []
    for ids, there in zip(x["ids"], x["mask"], strict=True):
        number = np.arange(LENGTH)
        if offset:
            number = np.where(there, number + 2, 1)
        y = table("words")[ids] + table("positions")[number]
        y = norm(blocks["norm"], y + table("types")[0])
        for layer in ("layer_0", "layer_1"):
            block = blocks[layer]
            y = norm(block["attention_norm"], y + attended(block, y, there))
            y = norm(block["output_norm"], y + wide(block, y))
        hidden.append(y)
    first = encode(model, params, state, x)
    np.testing.assert_allclose(first, [h[0] for h in hidden], atol=1e-5)
    if offset:
        return
    mean, _, _ = made({**BERT, "pooling": "mean"}, TEXT)
    by_hand = [h[m].mean(0) for h, m in zip(hidden, x["mask"], strict=True)]
    np.testing.assert_allclose(
        encode(mean, params, state, x), by_hand, atol=1e-5
    )


def test_texts_without_tokens_are_zero_in_the_mean(rng):
    model, params, state = made({**BERT, "pooling": "mean"}, TEXT)
    x = text(rng)
    x["mask"][1] = False
    found = encode(model, params, state, x)
    np.testing.assert_array_equal(found[1], 0)
    assert np.isfinite(found).all()


def test_vit_by_hand_and_of_frames(rng):
    shape = (8, 12, 3)
    model, params, state = made(VIT, shape)
    blocks = params["encoders"]["x"]
    x = rng.normal(size=(2, *shape)).astype(np.float32)
    expected = []
    for image in x:
        patches = np.stack(
            [
                image[4 * i : 4 * i + 4, 4 * j : 4 * j + 4].reshape(-1)
                for i in range(2)
                for j in range(3)
            ]
        )
        y = dense(blocks["patches"], patches)
        y = np.concatenate([blocks["class_token"][0], y])
        y = y + blocks["positions"][0]
        for layer in ("layer_0", "layer_1"):
            block = blocks[layer]
            y = y + attended(block, norm(block["norm1"], y), True)
            y = y + wide(block, norm(block["norm2"], y))
        expected.append(norm(blocks["norm"], y)[0])
    np.testing.assert_allclose(
        encode(model, params, state, x), expected, atol=1e-5
    )
    # Two frames: the mean of their features.
    frames, _, _ = made(VIT, (2, *shape))
    assert frames.widths == {"x": 8}
    found = encode(frames, params, state, x[None])
    np.testing.assert_allclose(
        found, np.mean(expected, axis=0, keepdims=True), atol=1e-5
    )


def bytes_of(x, mean, std):
    return ((x / 255.0 - mean) / std).astype(np.float32)


def test_frames_and_pixels_of_resnet18(rng):
    block = {
        "name": "resnet18", "stem": "small", "width": 2,
        "mean": (0.1, 0.4), "std": (0.5, 0.2),
    }  # fmt: skip
    model, params, state = made(block, (3, 8, 9, 2))
    start = ones(state)
    x = rng.integers(256, size=(4, 3, 8, 9, 2), dtype=np.uint8)
    found = encode(model, params, start, x)
    assert found.shape == (4, 16)
    single, _, _ = made(block, (8, 9, 2))
    pixels = bytes_of(x, np.array([0.1, 0.4]), np.array([0.5, 0.2]))
    each = encode(single, params, start, pixels.reshape(12, 8, 9, 2))
    np.testing.assert_allclose(
        found, each.reshape(4, 3, 16).mean(1), rtol=1e-4, atol=1e-5
    )
    # One channel may have no axis.
    grey, params, state = made({**block, "mean": (0.5,), "std": (1.0,)}, (8, 9))
    assert params["encoders"]["x"]["conv1"]["kernel"].shape == (3, 3, 1, 2)
    start = ones(state)
    assert encode(grey, params, start, x[:, 0, ..., 0]).shape == (4, 16)


CASES = {
    "bert": (BERT, TEXT),
    "vit": (VIT, (8, 8, 3)),
    "resnet18": (
        {"name": "resnet18", "stem": "small", "width": 2},
        (2, 8, 8, 3),
    ),
}


def batch_of(name, rng):
    if name == "bert":
        return text(rng)
    return rng.normal(size=(3, *CASES[name][1])).astype(np.float32)


def gradient(block, shape, start, x, **options):
    """Features, their state, and a gradient in all parameters."""
    model, _, _ = made(block, shape, **options)
    params, state = start

    def loss(params):
        features, new = model.encode(
            params, state, {"x": x}, train=True, key=jax.random.key(0)
        )
        return (features["x"] ** 2).mean(), (features["x"], new)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))(params)


@pytest.mark.parametrize("name", CASES)
def test_programs_of_other_types_and_with_rematerialisation(rng, name):
    # Nothing is compiled.
    block, shape = CASES[name]
    model, params, state = made(block, shape)
    start, x = (params, ones(state)), batch_of(name, rng)
    trace = lambda **options: jax.make_jaxpr(
        lambda: gradient(block, shape, start, x, **options)
    )()
    plain, again = trace(), trace(rematerialize=True)
    assert "remat" in str(again)
    assert "remat" not in str(plain)
    half = trace(dtype="bfloat16")
    assert "bf16" in str(half)
    assert "bf16" not in str(plain)
    # Features, the loss, statistics and gradients are what they were.
    for program in (again, half):
        assert program.out_avals == plain.out_avals
    assert {aval.dtype for aval in half.out_avals} == {np.dtype(np.float32)}


def test_bfloat16_and_rematerialisation(rng):
    # Of one layer, which compiles in half the time.
    block = {**BERT, "layers": 1}
    model, params, state = made(block, TEXT)
    start, x = (params, state), text(rng)
    of = lambda **options: gradient(block, TEXT, start, x, **options)
    (loss, _), grads = of()
    # The same numbers, but for what is kept.
    (again, _), grads_again = of(rematerialize=True)
    np.testing.assert_allclose(again, loss, rtol=1e-6)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, grads_again, grads)
    # Every parameter is reached; the classifiers have no part in this.
    for path, g in jax.tree_util.tree_leaves_with_path(grads["encoders"]):
        where = jax.tree_util.keystr(path)
        assert np.isfinite(g).all(), where
        # Attention is the same for any bias of the keys.
        assert np.abs(g).max() > 0 or "['key']['bias']" in where, where
    (rough, _), _ = of(dtype="bfloat16")
    # Of bfloat16, whose numbers have 8 bits.
    assert 1e-6 * loss < abs(rough - loss) < 0.1 * loss


def test_scores_of_attention_are_not_rounded_to_bfloat16():
    # Scores 256 and 257, which bfloat16 takes for one number.
    x = np.array([[[16, 0, 1, 0], [16, 1 / 16, 0, 1]]], np.float32)
    identity = {"kernel": np.eye(4, dtype=np.float32), "bias": np.zeros(4)}
    query = {
        "kernel": np.zeros((4, 4), np.float32),
        "bias": np.float32([16, 16, 0, 0]),
    }
    norm = {"scale": np.ones(4), "bias": np.zeros(4)}
    params = {
        "query": query,
        "key": identity,
        "value": identity,
        "attention": {**identity, "bias": np.float32([-32, 0, 0, 0])},
        "attention_norm": norm,
        "intermediate": {k: 0 * v for k, v in identity.items()},
        "output": {k: 0 * v for k, v in identity.items()},
        "output_norm": norm,
    }
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    layer = attention.Transformer(
        1, 4, 1e-6, "relu", False, 0.0, jnp.dtype(jnp.bfloat16)
    )
    y = layer.apply({"params": params}, x.astype(jnp.bfloat16), None, False)
    # Of the first token, whose input is 1 and 0 there: the normalised sums.
    *_, first, second = np.asarray(y[0, 0] - y[0, 0, 1], np.float64)
    share = second * 2 / (first + second)
    np.testing.assert_allclose(share, scipy.special.expit(0.5), atol=0.03)


def test_blocks_with_statistics_can_be_rematerialised(rng):
    x = jnp.asarray(rng.normal(size=(4, 5, 6, 2)), jnp.float32)
    again = nn.remat(resnet18.Block, static_argnums=(2,))
    plain, again, half = (
        kind(3, 2, None, dtype)
        for kind, dtype in (
            (resnet18.Block, None), (again, None),
            (resnet18.Block, jnp.dtype(jnp.bfloat16)),
        )
    )  # fmt: skip
    variables = jax.jit(lambda key: plain.init(key, x, False))(
        jax.random.key(0)
    )

    def of(block, x, variables):
        def loss(params):
            y, new = block.apply(
                {**variables, "params": params}, x, True, mutable="batch_stats"
            )
            return (y.astype(jnp.float32) ** 2).mean(), new

        return jax.value_and_grad(loss, has_aux=True)(variables["params"])

    run = jax.jit(
        lambda x, v: (of(plain, x, v), of(again, x, v), of(half, x, v))
    )
    first, second, third = run(x, variables)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    jax.tree.map(close, second, first)
    near = lambda a, b: np.testing.assert_allclose(a, b, rtol=0.1, atol=0.02)
    jax.tree.map(near, third[0], first[0])
    assert float(third[0][0]) != float(first[0][0])
    assert {a.dtype for a in jax.tree.leaves(third)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("frozen", ["conv1,bn1", "conv1,bn1,layer[1-3]_?"])
def test_frozen_parts_keep_their_statistics(frozen):
    # Traced: what is kept is what came in, and is what is normalised by.
    block, shape = CASES["resnet18"]
    model, params, state = made({**block, "frozen": frozen}, shape)
    leaves, tree = jax.tree.flatten(state["encoders"])

    def encode(leaves, x):
        kept = {**state, "encoders": jax.tree.unflatten(tree, leaves)}
        _, new = model.encode(
            params, kept, {"x": x}, train=True, key=jax.random.key(0)
        )
        return jax.tree.leaves(new)

    x = np.zeros((3, *shape), np.float32)
    jaxpr = jax.make_jaxpr(encode)(leaves, x).jaxpr
    paths = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(state["encoders"])
    ]
    still = {
        path.split("/")[2]
        for path, out in zip(paths, jaxpr.outvars, strict=True)
        if out in jaxpr.invars
    }
    assert "bn1" in still
    assert ("layer3_1" in still) == ("layer" in frozen)
    assert "layer4_0" not in still


@pytest.mark.parametrize(
    ("block", "shape", "message"),
    [
        ({**BERT, "pooling": "last"}, TEXT, "pooling must be one of first, me"),
        ({**BERT, "heads": 3}, TEXT, "bert: width 8 cannot be divided by 3"),
        ({**BERT, "activation": "swish"}, TEXT, "activation must be one of ge"),
        ({**BERT, "positions": 5}, TEXT, "bert has 5 positions.* 6 tokens"),
        ({**BERT, "offset": 3}, TEXT, "of which 3 have no token"),
        ({**BERT, "dtype": "float16"}, TEXT, "dtype must be one of float32, b"),
        (VIT, (9, 8, 3), r"multiples of 4 pixels, got shape \(9, 8, 3\)"),
        (VIT, (8,), r"vit needs images \[height, width\], .* shape \(8,\)"),
        (VIT, TEXT, "vit takes one array, the modality has ids, mask"),
        ({**VIT, "pooling": "first"}, (8, 8, 3), "pooling must be one of cl"),
        (
            {**VIT, "mean": (0.5, 0.5)},
            (8, 8, 3),
            "mean must have 1 number or 3",
        ),
        ({**VIT, "std": (0.0,)}, (8, 8, 3), "vit: std must be positive"),
    ],
)
def test_what_does_not_fit(block, shape, message):
    with pytest.raises(
        InputError, match=f"config model.encoders.x: .*{message}"
    ):
        made(block, shape)
