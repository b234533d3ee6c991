"""ResNet-18 as torchvision and timm have it."""

from typing import Any

from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Names, Shapes
from arm_jax.models.weights.pixels import IMAGENET, of_files


def _modules() -> dict[str, Names]:
    modules: dict[str, Names] = {"conv1": ("conv1",), "bn1": ("bn1",)}
    for stage in range(1, 5):
        for block in range(2):
            ours, theirs = f"layer{stage}_{block}", f"layer{stage}.{block}"
            for part in ("conv1", "bn1", "conv2", "bn2"):
                modules[f"{ours}/{part}"] = (f"{theirs}.{part}",)
            for number, part in enumerate(("conv", "bn")):
                modules[f"{ours}/downsample_{part}"] = (
                    f"{theirs}.downsample.{number}",
                )
    return modules


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    return {
        "width": shapes["conv1.weight"][0],
        **of_files(beside, IMAGENET),
    }


LAYOUT = Layout(
    name="torchvision's ResNet",
    mark=("layer1.0.conv1.weight", "conv1.weight"),
    modules=_modules(),
    arrays={},
    ignored=("fc.weight", "fc.bias"),
    options=_options,
)
