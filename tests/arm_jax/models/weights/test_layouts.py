"""Weights in every layout: names, shapes, transposes; nothing is compiled."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError
from arm_jax.models import create_model
from arm_jax.models.weights import adapting
from tests.arm_jax.models.weights import state_dicts
from tests.arm_jax.models.weights.state_dicts import drawn, save

TEXT = {
    "ids": jax.ShapeDtypeStruct((6,), jnp.int32),
    "mask": jax.ShapeDtypeStruct((6,), jnp.bool_),
}
CONFIG = {"num_attention_heads": 2, "hidden_size": 8}
DISTIL = {"model_type": "distilbert", "n_heads": 2, "dim": 8}
# By layout: encoder, shapes of its state dict, config.json, and input.
LAYOUTS = {
    "resnet_torchvision": ("resnet18", {}, (32, 32, 3)),
    "resnet_huggingface": (
        "resnet18",
        {"model_type": "resnet"},
        (32, 32, 3),
    ),
    "bert": ("bert", {"model_type": "bert", **CONFIG}, TEXT),
    "distilbert": ("bert", DISTIL, TEXT),
    "vit_huggingface": ("vit", {"model_type": "vit", **CONFIG}, (8, 8, 3)),
    "vit_timm": ("vit", {}, (8, 8, 3)),
    "vit_torchvision": ("vit", {}, (8, 8, 3)),
}
ALL = [
    *((name, {}) for name in LAYOUTS),
    ("bert", {"prefix": "", "pooler": False}),
    ("bert", {"prefix": "module.bert.", "old": True}),
    ("resnet_huggingface", {"prefix": ""}),
    ("vit_huggingface", {"prefix": "", "old": False}),
    ("vit_torchvision", {"old": True}),
]


def written(folder, layout, arrays=None, **options):
    """A folder with weights in a layout, and the block that names it."""
    encoder, config, shape = LAYOUTS[layout]
    if arrays is None:
        arrays = drawn(getattr(state_dicts, layout)(**options))
    save(folder / "model.safetensors", arrays)
    (folder / "config.json").write_text(json.dumps(config))
    heads = {} if config or encoder == "resnet18" else {"heads": 2}
    block = {"name": encoder, "weights": str(folder), **heads}
    return block, shape, arrays


def load(block, shape):
    """A model of one modality `x`, and what it starts from, by path."""
    model = create_model(
        ModelConfig(features=0, encoders={"x": block}), {"x": shape}, 3
    )
    empty = jax.tree.map(
        lambda x: np.zeros((2, *x.shape), x.dtype),
        jax.eval_shape(model.init, jax.random.key(0)),
    )
    params, state = model.load(*empty)
    trees = [
        params["encoders"]["x"],
        *state["encoders"].get("x", {}).values(),
    ]
    leaves = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), x)
        for tree in trees
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    ]
    # An axis of runs in front.
    assert all(x.shape[0] == 2 for _, x in leaves)
    return model, {path: np.asarray(x[1]) for path, x in leaves}


@pytest.mark.parametrize(("layout", "options"), ALL)
def test_every_array_comes_from_its_tensor(tmp_path, layout, options):
    block, shape, arrays = written(tmp_path, layout, **options)
    _, found = load(block, shape)
    # Each number that is there is used once, but for what is left over.
    left = ("fc.", "classifier", "cls.", "vocab_", "head", "pooler")
    used = [
        x
        for name, x in arrays.items()
        if not name.removeprefix("module.bert.")
        .removeprefix("bert.")
        .startswith(left)
        and not name.endswith("num_batches_tracked")
    ]
    flat = lambda arrays: np.sort(np.concatenate([np.ravel(x) for x in arrays]))
    np.testing.assert_array_equal(flat(found.values()), flat(used))


# One array of each kind, by hand.
EXPECTED = {
    "resnet_torchvision": {
        "conv1/kernel": lambda a: a["conv1.weight"].transpose(2, 3, 1, 0),
        "layer3_1/conv2/kernel": lambda a: np.moveaxis(
            a["layer3.1.conv2.weight"], (0, 1), (3, 2)
        ),
        "layer2_0/downsample_bn/var": lambda a: a[
            "layer2.0.downsample.1.running_var"
        ],
        "layer4_1/bn2/mean": lambda a: a["layer4.1.bn2.running_mean"],
        "layer4_1/bn2/scale": lambda a: a["layer4.1.bn2.weight"],
    },
    "resnet_huggingface": {
        "layer1_0/bn2/bias": lambda a: a[
            "resnet.encoder.stages.0.layers.0.layer.1.normalization.bias"
        ],
        "layer3_0/downsample_conv/kernel": lambda a: a[
            "resnet.encoder.stages.2.layers.0.shortcut.convolution.weight"
        ].transpose(2, 3, 1, 0),
    },
    "bert": {
        "words/embedding": lambda a: a[
            "bert.embeddings.word_embeddings.weight"
        ],
        "layer_1/query/kernel": lambda a: (
            a["bert.encoder.layer.1.attention.self.query.weight"].T
        ),
        "layer_0/output_norm/scale": lambda a: a[
            "bert.encoder.layer.0.output.LayerNorm.weight"
        ],
    },
    "distilbert": {
        "layer_1/attention/kernel": lambda a: (
            a["distilbert.transformer.layer.1.attention.out_lin.weight"].T
        ),
        "layer_1/attention_norm/bias": lambda a: a[
            "distilbert.transformer.layer.1.sa_layer_norm.bias"
        ],
    },
    "vit_huggingface": {
        "class_token": lambda a: a["vit.embeddings.cls_token"],
        "positions": lambda a: a["vit.embeddings.position_embeddings"],
        "layer_1/value/bias": lambda a: a[
            "vit.encoder.layer.1.attention.attention.value.bias"
        ],
    },
    "vit_timm": {
        "patches/kernel": lambda a: a["patch_embed.proj.weight"].transpose(
            2, 3, 1, 0
        ),
        "layer_0/query/kernel": lambda a: a["blocks.0.attn.qkv.weight"][:8].T,
        "layer_0/value/bias": lambda a: a["blocks.0.attn.qkv.bias"][16:],
    },
    "vit_torchvision": {
        "layer_1/key/kernel": lambda a: (
            a["encoder.layers.encoder_layer_1.self_attention.in_proj_weight"][
                8:16
            ].T
        ),
        "norm/scale": lambda a: a["encoder.ln.weight"],
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_are_turned_as_they_must(tmp_path, layout):
    block, shape, arrays = written(tmp_path, layout)
    _, found = load(block, shape)
    for path, expected in EXPECTED[layout].items():
        np.testing.assert_array_equal(found[path], expected(arrays), path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sizes_need_not_be_given(tmp_path, layout):
    block, shape, _ = written(tmp_path, layout)
    model, found = load(block, shape)
    assert model.widths == {"x": 16 if "resnet" in layout else 8}
    if LAYOUTS[layout][0] == "bert":
        assert model.vocabularies == {"x": 9}
        assert ("types/embedding" in found) == (layout == "bert")
    # A layer of the task's own is no part of the file.
    model, found = load({**block, "features": 4}, shape)
    assert model.widths == {"x": 4}
    assert not found["projection/kernel"].any()


def test_the_pooler_is_read_where_it_is_used(tmp_path):
    block, shape, arrays = written(tmp_path, "bert")
    _, found = load({**block, "pooling": "pooler"}, shape)
    np.testing.assert_array_equal(
        found["pooler/kernel"], arrays["bert.pooler.dense.weight"].T
    )
    block, shape, _ = written(tmp_path, "bert", pooler=False)
    with pytest.raises(InputError, match=r"lacks pooler\.dense"):
        load({**block, "pooling": "pooler"}, shape)


def test_half_precision_becomes_float32(tmp_path):
    arrays = drawn(state_dicts.vit_timm())
    arrays["norm.weight"] = arrays["norm.weight"].astype(np.float16)
    arrays["norm.bias"] = arrays["norm.bias"].astype(jnp.bfloat16)
    block, shape, _ = written(tmp_path, "vit_timm", arrays)
    _, found = load(block, shape)
    for key, leaf in (("norm.weight", "scale"), ("norm.bias", "bias")):
        assert found[f"norm/{leaf}"].dtype == np.float32
        np.testing.assert_array_equal(
            found[f"norm/{leaf}"], arrays[key].astype(np.float32)
        )


def with_tensor(name, shape):
    return lambda a: {**a, name: np.ones(shape, np.float32)}


def without(name):
    return lambda a: {k: x for k, x in a.items() if k != name}


def renamed(old, new):
    return lambda a: {k.replace(old, new): x for k, x in a.items()}


WEIGHTS = "config model.encoders.x.weights: .*"


@pytest.mark.parametrize(
    ("layout", "change", "message"),
    [
        (
            "resnet_torchvision",
            with_tensor("layer1.2.conv1.weight", (2, 2, 3, 3)),
            r"no use for: layer1\.2\.conv1\.weight; it is of another arch",
        ),
        (
            "resnet_torchvision",
            with_tensor("fc2.weight", (2, 2)),
            r"no use for: fc2\.weight",
        ),
        (
            "resnet_torchvision",
            without("layer4.1.bn2.running_var"),
            r"lacks layer4\.1\.bn2\.running_var: it is of another architec",
        ),
        (
            "resnet_torchvision",
            with_tensor("layer2.0.conv1.weight", (4, 2, 1, 1)),
            r"layer2\.0\.conv1\.weight is of shape \(4, 2, 1, 1\), which makes "
            r"\(1, 1, 2, 4\); the encoder's layer2_0/conv1/kernel has \(3, 3",
        ),
        (
            "resnet_torchvision",
            with_tensor("conv1.weight", ()),
            "no tensor of its sizes",
        ),
        (
            "resnet_torchvision",
            lambda a: {**a, "bn1.bias": np.full(2, np.nan, np.float32)},
            r"bn1\.bias has numbers that are not finite",
        ),
        (
            "resnet_torchvision",
            renamed("conv1", "convolution1"),
            r"none of the layouts of weights for resnet18 \(torchvision's Re.*"
            r"\); it has bn1\.bias, ",
        ),
        (
            "bert",
            renamed("query", "in_proj"),
            r"lacks encoder\.layer\.0\.attention\.self\.query",
        ),
        (
            "bert",
            with_tensor("bert.encoder.layer.0.adapter.weight", (2, 2)),
            r"no use for: encoder\.layer\.0\.adapter\.weight",
        ),
        # Both of two names for the same.
        (
            "bert",
            with_tensor("bert.embeddings.LayerNorm.gamma", (8,)),
            r"no use for: embeddings\.LayerNorm\.gamma",
        ),
        (
            "bert",
            with_tensor("embeddings.LayerNorm.weight", (8,)),
            "LayerNorm.weight with and without 'bert.' before it",
        ),
        (
            "bert",
            lambda a: {**a, **drawn(state_dicts.bert(prefix="other."))},
            "several encoders that begin with 'bert.', 'other.': set weights_p",
        ),
        (
            "vit_timm",
            with_tensor("blocks.0.attn.qkv.weight", (23, 8)),
            r"attn\.qkv\.weight is of shape \(23, 8\), which cannot be divided",
        ),
        (
            "vit_timm",
            with_tensor("blocks.1.ls1.gamma", (8,)),
            r"no use for: blocks\.1\.ls1\.gamma",
        ),
        (
            "vit_timm",
            with_tensor("patch_embed.proj.weight", (8, 3)),
            "no tensor of its sizes",
        ),
        (
            "vit_timm",
            with_tensor("pos_embed", (1, 10, 8)),
            r"pos_embed is of shape .* another size: set adapt_positions",
        ),
        (
            "vit_timm",
            with_tensor("patch_embed.proj.weight", (8, 1, 4, 4)),
            r"images with 3 channels: set adapt_channels to 'repeat' or 'mean'",
        ),
    ],
)
def test_weights_that_do_not_fit(tmp_path, layout, change, message):
    arrays = change(drawn(getattr(state_dicts, layout)()))
    block, shape, _ = written(tmp_path, layout, arrays)
    with pytest.raises(InputError, match=WEIGHTS + message) as caught:
        load(block, shape)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "options", "message"),
    [
        (
            "bert",
            {"width": 12, "heads": 2},
            r"is of shape \(8,\), .* has \(12,\)",
        ),
        ("bert", {"layers": 1}, r"no use for: encoder\.layer\.1"),
        ("bert", {"layers": 3}, r"lacks encoder\.layer\.2"),
        ("bert", {"vocabulary": 12}, r"shape \(9, 8\), .* has \(12, 8\)"),
        ("bert", {"name": "vit"}, r"none of the layouts of weights for vit"),
        ("bert", {"adapt_channels": "mean"}, "adapt_channels is 'mean'; this"),
        ("bert", {"adapt_positions": True}, "adapt_positions is True; this e"),
        ("resnet_torchvision", {"adapt_positions": True}, "adapt_positions is"),
        ("bert", {"name": "tokens"}, "no layout of weights is known for tok"),
        ("bert", {"weights_prefix": "berd."}, "no tensor that begins with 'be"),
        ("resnet_torchvision", {"stem": "small"}, r"conv1\.weight is of shape"),
    ],
)
def test_options_that_do_not_fit_the_weights(
    tmp_path, layout, options, message
):
    block, shape, _ = written(tmp_path, layout)
    with pytest.raises(InputError, match=WEIGHTS + message):
        load({**block, **options}, shape)


@pytest.mark.parametrize(
    ("layout", "change", "message"),
    [
        ("bert", {"model_type": "albert"}, "is of a 'albert'; this layout is"),
        ("bert", {"hidden_size": 9}, "says hidden_size 9, but they are 8 wide"),
        ("bert", {"hidden_act": "swish"}, "says hidden_act 'swish'; known: g"),
        ("bert", {"position_embedding_type": "relative_key"}, "positions 'rel"),
        ("bert", {"num_attention_heads": 3}, "8 cannot be divided by 3 heads"),
        ("vit_huggingface", {"model_type": "bert"}, "is of a 'bert'"),
        ("distilbert", {"dim": 3}, "says dim 3"),
    ],
)
def test_configs_that_do_not_fit(tmp_path, layout, change, message):
    block, shape, _ = written(tmp_path, layout)
    config = {**LAYOUTS[layout][1], **change}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message) as caught:
        load(block, shape)
    assert "config model.encoders.x" in str(caught.value)


@pytest.mark.parametrize("layout", ["bert", "vit_timm"])
def test_heads_are_never_guessed(tmp_path, layout):
    block, shape, _ = written(tmp_path, layout)
    (tmp_path / "config.json").unlink()
    block.pop("heads", None)
    with pytest.raises(InputError, match=r"model.encoders.x.heads is needed"):
        load(block, shape)
    load({**block, "heads": 4}, shape)


def test_positions_of_roberta_are_never_guessed(tmp_path):
    # One type of tokens, and no config.json that says what it is.
    block, shape, arrays = written(tmp_path, "bert", types=1)
    (tmp_path / "config.json").unlink()
    block["heads"] = 2
    with pytest.raises(InputError, match=r"model.encoders.x.offset is needed"):
        load(block, shape)
    block["offset"] = 2
    with pytest.raises(InputError, match=r"model.encoders.x.epsilon is needed"):
        load(block, shape)
    _, found = load({**block, "epsilon": 1e-5}, shape)
    types = arrays["bert.embeddings.token_type_embeddings.weight"]
    np.testing.assert_array_equal(found["types/embedding"], types)


def test_weights_are_floats(tmp_path):
    _, _, arrays = written(tmp_path, "bert")
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    arrays[name] = arrays[name].astype(np.int64)
    block, shape, _ = written(tmp_path, "bert", arrays)
    with pytest.raises(InputError, match=r"dense.weight is of type I64"):
        load(block, shape)


def encoder_options(block, shape):
    """Fields of the encoder that a block makes."""
    from arm_jax.models.branch import Branch

    shared = {"features": 0, "dropout": 0.0}
    spec = (
        jax.ShapeDtypeStruct(shape, jnp.float32)
        if isinstance(shape, tuple)
        else shape
    )
    return Branch("x", block, shared, spec)._encoder(None)


def test_what_config_json_says(tmp_path):
    block, shape, _ = written(tmp_path, "bert")
    config = {
        **LAYOUTS["bert"][1],
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu_new",
        "num_attention_heads": 4,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    made = encoder_options(block, shape)
    assert (made.heads, made.epsilon, made.activation) == (4, 1e-5, "gelu_tanh")
    assert made.offset == 0
    # The block has the last word.
    assert encoder_options({**block, "heads": 2}, shape).heads == 2
    path.write_text(json.dumps({**config, "model_type": "roberta"}))
    assert encoder_options(block, shape).offset == 2


@pytest.mark.parametrize(
    ("said", "pooling"),
    [
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
         "mean"),
        ({"pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
        ({"word_embedding_dimension": 8}, "first"),
        ({"pooling_mode_max_tokens": True}, None),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
         None),
    ],
)  # fmt: skip
def test_how_sentences_were_pooled(tmp_path, said, pooling):
    block, shape, _ = written(tmp_path, "bert")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(said))
    if pooling is None:
        with pytest.raises(InputError, match="encoders.x.pooling is needed"):
            encoder_options(block, shape)
    else:
        assert encoder_options(block, shape).pooling == pooling
    pooler = {**block, "pooling": "pooler"}
    assert encoder_options(pooler, shape).pooling == "pooler"


def test_how_pixels_were_normalised(tmp_path):
    block, shape, _ = written(tmp_path, "resnet_torchvision")
    assert encoder_options(block, shape).mean == (0.485, 0.456, 0.406)
    assert encoder_options({**block, "mean": (0.0,)}, shape).mean == (0.0,)
    grey = {**block, "adapt_channels": "repeat"}
    np.testing.assert_allclose(
        encoder_options(grey, (32, 32, 1)).std, [0.226], atol=1e-6
    )
    path = tmp_path / "preprocessor_config.json"
    path.write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3]}')
    made = encoder_options(block, shape)
    assert made.mean == (0.1, 0.2, 0.3)
    assert made.std == (1.0, 2.0, 3.0)
    path.write_text('{"image_mean": [0.1, 0.2, 0.3], "do_normalize": false}')
    made = encoder_options(block, shape)
    assert (made.mean, made.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    path.write_text('{"image_mean": "x", "image_std": [1]}')
    with pytest.raises(InputError, match="are no lists of numbers"):
        encoder_options(block, shape)
    block, shape, _ = written(tmp_path, "vit_timm")
    path.unlink()
    assert encoder_options(block, shape).mean == (0.5, 0.5, 0.5)
    config = {"pretrained_cfg": {"mean": [0.0] * 3, "std": [1.0] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert encoder_options(block, shape).std == (1.0, 1.0, 1.0)


def test_one_encoder_of_several_in_a_file(tmp_path):
    # As the models of multimodal papers are saved.
    shapes = state_dicts.resnet_torchvision()
    both = {
        f"module.{name}.{key}": shape
        for name in ("audio", "visual")
        for key, shape in shapes.items()
    }
    both["module.fusion.weight"] = (3, 3)
    block, shape, arrays = written(tmp_path, "resnet_torchvision", drawn(both))
    block["weights_prefix"] = "module.audio."
    _, found = load(block, shape)
    np.testing.assert_array_equal(
        found["bn1/scale"], arrays["module.audio.bn1.weight"]
    )


@pytest.mark.parametrize("count", [1, 2, 5])
def test_first_convolutions_for_other_channels(tmp_path, count):
    block, _, arrays = written(tmp_path, "resnet_torchvision")
    kernel = arrays["conv1.weight"].transpose(2, 3, 1, 0)
    image = np.ones((7, 7, count))
    for rule in adapting.CHANNELS:
        adapted = {**block, "adapt_channels": rule}
        _, found = load(adapted, (32, 32, count))
        new = found["conv1/kernel"]
        assert new.shape == (7, 7, count, 2)
        if rule == "mean":
            np.testing.assert_allclose(
                new, np.repeat(kernel.mean(2, keepdims=True), count, 2)
            )
        elif count == 1:
            # A grey image is one whose channels are equal.
            np.testing.assert_allclose(
                np.tensordot(image, new, 3),
                np.tensordot(np.ones((7, 7, 3)), kernel, 3),
                rtol=1e-5,
            )
        else:
            expected = kernel[:, :, [0, 1, 2, 0, 1][:count]] * (3 / count)
            np.testing.assert_allclose(new, expected, rtol=1e-6)
    with pytest.raises(InputError, match="set adapt_channels"):
        load(block, (32, 32, count))


def test_positions_for_images_of_another_size(tmp_path):
    block, _, arrays = written(tmp_path, "vit_timm", count=17)
    block["adapt_positions"] = True
    # A plane is one in every size, away from its edges.
    rows, columns = np.mgrid[:4, :4]
    plane = (rows + 10.0 * columns).reshape(1, 16, 1).astype(np.float32)
    arrays["pos_embed"][:, 1:] = plane
    written(tmp_path, "vit_timm", arrays)
    _, found = load(block, (32, 16, 3))
    assert found["positions"].shape == (1, 33, 8)
    np.testing.assert_array_equal(
        found["positions"][0, 0], arrays["pos_embed"][0, 0]
    )
    resized = found["positions"][0, 1:].reshape(8, 4, 8)
    np.testing.assert_allclose(
        resized[:, 2, 0] - resized[:, 1, 0], 10.0, rtol=1e-5
    )
    np.testing.assert_allclose(
        resized[4, 1, 0] - resized[3, 1, 0], 0.5, rtol=1e-5
    )
    # As many patches, on another grid.
    _, found = load(block, (32, 8, 3))
    assert not np.allclose(found["positions"], arrays["pos_embed"])
    with pytest.raises(InputError, match="set adapt_positions"):
        load({**block, "adapt_positions": False}, (32, 8, 3))
    arrays["pos_embed"] = arrays["pos_embed"][:, :12]
    written(tmp_path, "vit_timm", arrays)
    with pytest.raises(InputError, match="no square grid"):
        load(block, (16, 16, 3))


def test_without_weights_nothing_is_read():
    model = create_model(ModelConfig(), {"x": (3,)}, 3)
    assert model.load({"encoders": {"x": 1}}, {"encoders": {}}) == (
        {"encoders": {"x": 1}},
        {"encoders": {}},
    )
