"""ResNet-18 as transformers has it, such as microsoft/resnet-18."""

from typing import Any

from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Layout, Names, Shapes
from arm_jax.models.weights.pixels import IMAGENET, of_files

_CONVOLUTION = "embedder.embedder.convolution"


def _modules() -> dict[str, Names]:
    modules: dict[str, Names] = {
        "conv1": (_CONVOLUTION,),
        "bn1": ("embedder.embedder.normalization",),
    }
    for stage in range(4):
        for block in range(2):
            ours = f"layer{stage + 1}_{block}"
            theirs = f"encoder.stages.{stage}.layers.{block}"
            for number in range(2):
                layer = f"{theirs}.layer.{number}"
                modules[f"{ours}/conv{number + 1}"] = (f"{layer}.convolution",)
                modules[f"{ours}/bn{number + 1}"] = (f"{layer}.normalization",)
            shortcut = f"{theirs}.shortcut"
            modules[f"{ours}/downsample_conv"] = (f"{shortcut}.convolution",)
            modules[f"{ours}/downsample_bn"] = (f"{shortcut}.normalization",)
    return modules


def _options(shapes: Shapes, beside: Beside) -> dict[str, Any]:
    return {
        "width": shapes[f"{_CONVOLUTION}.weight"][0],
        **of_files(beside, IMAGENET),
    }


LAYOUT = Layout(
    name="Hugging Face's ResNet",
    mark=(f"{_CONVOLUTION}.weight",),
    modules=_modules(),
    arrays={},
    ignored=("classifier.1.weight", "classifier.1.bias"),
    options=_options,
)
