"""The vision transformer as torchvision has it."""

from typing import Any

from arm_jax.models.weights import texts
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Part, Shapes
from arm_jax.models.weights.pixels import IMAGENET, of_files

_BEFORE = "encoder.layers.encoder_layer_"
_LAYER = _BEFORE + "{n}."
# in_proj_weight and in_proj_bias.
_QKV = _LAYER + "self_attention.in_proj_*"


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    width, _, patch, _ = shapes["conv_proj.weight"]
    wide = _BEFORE + "0.mlp.0.weight"
    if wide not in shapes:
        wide = _BEFORE + "0.mlp.linear_1.weight"
    return {
        "width": width,
        "patch": patch,
        "layers": texts.layers(shapes, _BEFORE),
        "intermediate": shapes[wide][0],
        "heads": texts.heads_of(width),
        "epsilon": 1e-6,
        **of_files(beside, IMAGENET),
    }


LAYOUT = Layout(
    name="torchvision's ViT",
    mark=("conv_proj.weight", "class_token"),
    modules={
        "patches": ("conv_proj",),
        "layer_{n}/norm1": (_LAYER + "ln_1",),
        "layer_{n}/query": (Part(_QKV, 0, 3),),
        "layer_{n}/key": (Part(_QKV, 1, 3),),
        "layer_{n}/value": (Part(_QKV, 2, 3),),
        "layer_{n}/attention": (_LAYER + "self_attention.out_proj",),
        "layer_{n}/norm2": (_LAYER + "ln_2",),
        # Before its version 0.14 the layers had names.
        "layer_{n}/intermediate": (_LAYER + "mlp.0", _LAYER + "mlp.linear_1"),
        "layer_{n}/output": (_LAYER + "mlp.3", _LAYER + "mlp.linear_2"),
        "norm": ("encoder.ln",),
    },
    arrays={
        "class_token": ("class_token",),
        "positions": ("encoder.pos_embedding",),
    },
    ignored=("heads.*",),
    options=_options,
)
