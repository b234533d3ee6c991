"""Sizes of encoders of texts, from the shapes of tensors and config.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from arm_jax.errors import InputError
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.layout import Shapes

# Names of activations in config.json, and ours.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# The same of what sentence-transformers makes of the tokens.
_POOLINGS = {
    "cls": "first",
    "cls_token": "first",
    "mean": "mean",
    "mean_tokens": "mean",
}


def model_type(config: Mapping[str, Any], known: Sequence[str]) -> str:
    """Returns the `model_type` of config.json, the first one without it.

    Raises:
      InputError: It is not one of `known`.
    """
    kind = config.get("model_type", known[0])
    if kind not in known:
        raise InputError(
            f"config.json beside the weights is of a '{kind}'; this layout is "
            f"that of {', '.join(known)}"
        )
    return kind


def pooling(beside: Beside) -> dict[str, str | None]:
    """Returns the option `pooling` of an encoder of sentences, if it is one.

    None stands for a way that is not known.
    """
    said, prefix = beside.pooling, "pooling_mode_"
    modes = [key for key in said if key.startswith(prefix) and said[key]]
    modes = [key.removeprefix(prefix) for key in modes]
    if "pooling_mode" in said:
        modes = [str(said["pooling_mode"])]
    if not modes:
        return {}
    return {"pooling": _POOLINGS.get(" ".join(modes))}


def layers(shapes: Shapes, before: str) -> int:
    """Returns the number of layers, whose names are `before`, N and a dot."""
    numbers = {
        name.removeprefix(before).partition(".")[0]
        for name in shapes
        if name.startswith(before)
    }
    return len(numbers)


def sizes(shapes: Shapes, before: str, wide: str) -> dict[str, Any]:
    """Returns those options of an encoder of texts that shapes tell.

    Args:
      shapes: Shapes by name.
      before: What the number of a layer follows in names.
      wide: What follows it in the name of the wide layer's kernel.
    """
    words, width = shapes["embeddings.word_embeddings.weight"]
    return {
        "vocabulary": words,
        "positions": shapes["embeddings.position_embeddings.weight"][0],
        "width": width,
        "layers": layers(shapes, before),
        "intermediate": shapes[f"{before}0.{wide}"][0],
    }


def heads_of(width: int) -> int | None:
    """Returns the number of heads that no tensor tells, None if unknown.

    All models that are 768 wide have 12; of others, there are several kinds.
    """
    return 12 if width == 768 else None


def told(
    config: Mapping[str, Any],
    width: int,
    *,
    width_key: str,
    heads_key: str,
    activation_key: str,
    epsilon_key: str = "",
) -> dict[str, Any]:
    """Returns those options of a transformer that no shape tells.

    Args:
      config: config.json; empty if there is none.
      width: Width of the weights.
      width_key: What config.json calls it; the two are compared.
      heads_key: The same of the number of heads.
      activation_key: The same of the activation.
      epsilon_key: The same of the normalisations' epsilon; empty for nothing.

    Raises:
      InputError: config.json is that of other weights, or says something that
        is not known.
    """
    if config.get(width_key, width) != width:
        raise InputError(
            f"config.json beside the weights says {width_key} "
            f"{config[width_key]}, but they are {width} wide: it is of another "
            "model"
        )
    given: dict[str, Any] = {"heads": heads_of(width)}
    if heads_key in config:
        given["heads"] = config[heads_key]
    if epsilon_key in config:
        given["epsilon"] = config[epsilon_key]
    if activation_key in config:
        name = config[activation_key]
        if name not in ACTIVATIONS:
            raise InputError(
                f"config.json beside the weights says {activation_key} "
                f"{name!r}; known: {', '.join(ACTIVATIONS)}"
            )
        given["activation"] = ACTIVATIONS[name]
    return given
