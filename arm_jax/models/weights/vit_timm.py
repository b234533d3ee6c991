"""The vision transformer as timm and its authors have it."""

from typing import Any

from arm_jax.models.weights import texts
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Part, Shapes
from arm_jax.models.weights.pixels import HALF, of_files

_BLOCK = "blocks.{n}."
_QKV = _BLOCK + "attn.qkv"


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    width, _, patch, _ = shapes["patch_embed.proj.weight"]
    return {
        "width": width,
        "patch": patch,
        "layers": texts.layers(shapes, "blocks."),
        "intermediate": shapes["blocks.0.mlp.fc1.weight"][0],
        "heads": texts.heads_of(width),
        "epsilon": 1e-6,
        **of_files(beside, HALF),
    }


LAYOUT = Layout(
    name="timm's ViT",
    mark=("patch_embed.proj.weight", "cls_token"),
    modules={
        "patches": ("patch_embed.proj",),
        "layer_{n}/norm1": (_BLOCK + "norm1",),
        "layer_{n}/query": (Part(_QKV, 0, 3),),
        "layer_{n}/key": (Part(_QKV, 1, 3),),
        "layer_{n}/value": (Part(_QKV, 2, 3),),
        "layer_{n}/attention": (_BLOCK + "attn.proj",),
        "layer_{n}/norm2": (_BLOCK + "norm2",),
        "layer_{n}/intermediate": (_BLOCK + "mlp.fc1",),
        "layer_{n}/output": (_BLOCK + "mlp.fc2",),
        "norm": ("norm",),
    },
    arrays={"class_token": ("cls_token",), "positions": ("pos_embed",)},
    ignored=("head.weight", "head.bias"),
    options=_options,
)
