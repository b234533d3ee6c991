"""Which of many tests are discoveries: control of the false discovery rate."""

from typing import Any

import numpy as np

from bounds import inputs
from bounds.errors import InputError

METHODS = ("by", "bh")


def adjusted(p_values: Any, method: str = "by") -> np.ndarray:
    """p-values adjusted so that those up to a level are discoveries at it.

    Of the tests whose adjusted value is at most q, a share of at most q is
    false on average: by Benjamini and Hochberg ("bh") if the p-values are
    independent or positively dependent, by Benjamini and Yekutieli ("by") with
    any dependence, at the price of a factor of about log(tests).

    Args:
      p_values: `[...]`, from 0 to 1.
      method: "by" or "bh".

    Returns:
      Adjusted values of the same shape, at most 1.

    Raises:
      InputError: No p-values; one that is no number from 0 to 1.

    References:
      Benjamini and Hochberg, Controlling the false discovery rate, 1995;
      Benjamini and Yekutieli, The control of the false discovery rate in
      multiple testing under dependency, 2001.
    """
    inputs.choice("method", method, METHODS)
    p = inputs.finite("p_values", p_values).astype(np.float64)
    if not p.size:
        raise InputError("p_values is empty")
    bad = (p < 0) | (p > 1)
    if bad.any():
        index = inputs.first(bad)
        raise InputError(
            f"p_values{inputs.subscript(index)} is {p[index]:g}, outside 0 to 1"
        )
    flat = p.ravel()
    order = np.argsort(flat)
    rank = np.arange(1, flat.size + 1)
    factor = flat.size / rank
    if method == "by":
        factor = factor * np.sum(1 / rank)
    # The least of what this one and all larger ones allow.
    step_up = np.minimum.accumulate((flat[order] * factor)[::-1])[::-1]
    out = np.empty_like(flat)
    out[order] = np.minimum(step_up, 1)
    return out.reshape(p.shape)
