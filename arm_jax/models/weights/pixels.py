"""What pixels were normalised by, when weights for images were trained."""

from collections.abc import Mapping

from arm_jax.errors import InputError
from arm_jax.models.weights.files import Beside

# Mean and standard deviation of the channels, of pixels from 0 to 1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def of_files(
    beside: Beside,
    otherwise: tuple[tuple[float, ...], tuple[float, ...]],
) -> dict[str, tuple[float, ...]]:
    """Returns the options `mean` and `std` of an encoder of images.

    Args:
      beside: Files beside the weights: timm says it in config.json,
        transformers in preprocessor_config.json.
      otherwise: What is usual for the layout.

    Raises:
      InputError: What the files say is no list of numbers.
    """
    timm = beside.config.get("pretrained_cfg", beside.config)
    timm = timm if isinstance(timm, Mapping) else {}
    mean = beside.preprocessor.get("image_mean", timm.get("mean"))
    std = beside.preprocessor.get("image_std", timm.get("std"))
    if beside.preprocessor.get("do_normalize") is False:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if mean is None or std is None:
        mean, std = otherwise
    try:
        return {
            "mean": tuple(float(x) for x in mean),
            "std": tuple(float(x) for x in std),
        }
    except (TypeError, ValueError):
        raise InputError(
            f"beside the weights, mean {mean!r} and std {std!r} of the pixels "
            "are no lists of numbers"
        ) from None
