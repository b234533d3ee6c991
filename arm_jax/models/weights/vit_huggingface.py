"""The vision transformer as transformers has it.

Its version 5 renamed modules; files of either name are read.
"""

from typing import Any

from arm_jax.models.weights import texts
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Shapes
from arm_jax.models.weights.pixels import HALF, of_files

_OLD, _NEW = "encoder.layer.{n}.", "layers.{n}."
_PATCHES = "embeddings.patch_embeddings.projection"


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    texts.model_type(beside.config, ("vit", "deit"))
    width, _, patch, _ = shapes[f"{_PATCHES}.weight"]
    old = any(name.startswith("encoder.layer.") for name in shapes)
    before = "encoder.layer." if old else "layers."
    wide = "intermediate.dense.weight" if old else "mlp.fc1.weight"
    options: dict[str, Any] = {
        "width": width,
        "patch": patch,
        "layers": texts.layers(shapes, before),
        "intermediate": shapes[f"{before}0.{wide}"][0],
        "epsilon": 1e-12,
    }
    options |= texts.told(
        beside.config,
        width,
        width_key="hidden_size",
        heads_key="num_attention_heads",
        activation_key="hidden_act",
        epsilon_key="layer_norm_eps",
    )
    return options | of_files(beside, HALF)


LAYOUT = Layout(
    name="Hugging Face's ViT",
    mark=(f"{_PATCHES}.weight", "embeddings.cls_token"),
    modules={
        "patches": (_PATCHES,),
        "layer_{n}/norm1": (
            _OLD + "layernorm_before",
            _NEW + "layernorm_before",
        ),
        "layer_{n}/query": (
            _OLD + "attention.attention.query",
            _NEW + "attention.q_proj",
        ),
        "layer_{n}/key": (
            _OLD + "attention.attention.key",
            _NEW + "attention.k_proj",
        ),
        "layer_{n}/value": (
            _OLD + "attention.attention.value",
            _NEW + "attention.v_proj",
        ),
        "layer_{n}/attention": (
            _OLD + "attention.output.dense",
            _NEW + "attention.o_proj",
        ),
        "layer_{n}/norm2": (_OLD + "layernorm_after", _NEW + "layernorm_after"),
        "layer_{n}/intermediate": (
            _OLD + "intermediate.dense",
            _NEW + "mlp.fc1",
        ),
        "layer_{n}/output": (_OLD + "output.dense", _NEW + "mlp.fc2"),
        "norm": ("layernorm",),
    },
    arrays={
        "class_token": ("embeddings.cls_token",),
        "positions": ("embeddings.position_embeddings",),
    },
    ignored=("classifier.*", "pooler.dense.*", "embeddings.mask_token"),
    options=_options,
)
