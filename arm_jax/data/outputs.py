"""What a model that was trained elsewhere predicts from subsets of modalities.

An .npz file with, for each subset that there is, an array of logits,
probabilities or log-probabilities `[n, classes]`, named by its modalities with
"+" between them (`image`, `text`, `image+text`), and the true classes `label`
`[n]`. Of use are all modalities together, each alone, and all but each.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from arm_jax.data import packed
from arm_jax.errors import InputError, check_choice
from bounds import inputs

KINDS = ("auto", "logits", "probabilities", "log_probabilities")
SEPARATOR = "+"
_LABEL, _PRIOR = "label", "prior"
# How far rows of probabilities may be from a sum of 1.
_TOLERANCE = 1e-3
# The share of an array's rows above which these are no logits that happen to
# sum to 1.
_MOSTLY = 0.9


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Predictions from subsets of modalities.

    Attributes:
      modalities: Names, in the order of the file.
      log_probs: log p(y|x), `[n, classes]`, nats, by subset.
      label: True classes, `[n]`.
      log_prior: log p(y), `[classes]`, nats.
      kind: What the arrays held, see `KINDS`.
    """

    modalities: tuple[str, ...]
    log_probs: Mapping[frozenset[str], np.ndarray]
    label: np.ndarray
    log_prior: np.ndarray
    kind: str

    @property
    def full(self) -> frozenset[str]:
        """All modalities together."""
        return frozenset(self.modalities)


def read(path: str | Path, *, kind: str = "auto") -> Outputs:
    """Reads the outputs in a file.

    Args:
      path: The file.
      kind: What its arrays hold; "auto" tells by their values.

    Raises:
      InputError: See `of_arrays`; or no such file, or a damaged one.
    """
    file = packed.expanded(path)
    arrays = packed.read(file)
    with packed.about(str(file)):
        return of_arrays(arrays, kind=kind)


def of_arrays(arrays: Mapping[str, Any], *, kind: str = "auto") -> Outputs:
    """Returns the outputs in arrays, checked.

    Args:
      arrays: By subset, and `label`; and, if there is one, `prior`,
        `[classes]`: the shares of the classes in training. Without it they are
        those of the labels.
      kind: What the arrays hold; "auto" tells by their values.

    Raises:
      InputError: No label, no subset of all modalities, a subset of unknown
        modalities; arrays that do not belong together, are not of `kind`, or of
        more than one; a label outside the classes.
    """
    check_choice("kind", kind, KINDS)
    if _LABEL not in arrays:
        raise InputError(
            f"there is no array '{_LABEL}' of the true classes; there are: "
            + packed.listed(list(arrays))
        )
    label = inputs.integers(_LABEL, arrays[_LABEL])
    names = [name for name in arrays if name not in (_LABEL, _PRIOR)]
    modalities = tuple(name for name in names if SEPARATOR not in name)
    subsets = {name: _subset(name, modalities) for name in names}
    for at, name in enumerate(names):
        for other in names[:at]:
            if subsets[name] == subsets[other]:
                raise InputError(
                    f"'{packed.shown(other)}' and '{packed.shown(name)}' are "
                    "outputs of the same modalities: leave one of them out"
                )
    full = SEPARATOR.join(modalities)
    if len(modalities) < 2 or frozenset(modalities) not in subsets.values():
        raise InputError(
            "there must be outputs of two modalities or more, each alone and "
            f"all together ('{full or 'a'}{'' if len(modalities) > 1 else '+b'}"
            f"'); there are: {packed.listed(names)}"
        )
    values = {}
    for name in names:
        x = inputs.numbers(name, arrays[name])
        if x.ndim != 2 or len(x) != len(label) or not x.size:
            raise InputError(
                f"{name} must be [n, classes] of n = {len(label)} samples, got "
                f"shape {x.shape}"
            )
        values[name] = x.astype(np.float64)
    classes = values[names[0]].shape[1]
    for name, x in values.items():
        if x.shape[1] != classes:
            raise InputError(
                f"{name} has {x.shape[1]} classes, {names[0]} {classes}"
            )
    bad = np.flatnonzero((label < 0) | (label >= classes))
    if len(bad):
        raise InputError(
            f"label[{bad[0]}] is {label[bad[0]]}, outside 0..{classes - 1}"
        )
    held = _kind_of(values) if kind == "auto" else kind
    return Outputs(
        modalities,
        {
            subsets[name]: _log_probs(name, x, held)
            for name, x in values.items()
        },
        label,
        _log_prior(arrays.get(_PRIOR), label, classes),
        held,
    )


def _subset(name: str, modalities: tuple[str, ...]) -> frozenset[str]:
    parts = name.split(SEPARATOR)
    for part in parts:
        if part not in modalities:
            raise InputError(
                f"'{packed.shown(name)}' names the modality "
                f"'{packed.shown(part)}', of which alone there are no outputs; "
                f"there are: {packed.listed(modalities)}"
            )
    return frozenset(parts)


def _kind_of(values: Mapping[str, np.ndarray]) -> str:
    """What arrays hold, all of them.

    Raises:
      InputError: Most rows of an array are probabilities, but not all rows of
        all arrays, as where one of several was exported before the softmax.
    """
    are = {
        name: (v >= 0).all(1) & (np.abs(v.sum(1) - 1) <= _TOLERANCE)
        for name, v in values.items()
    }
    if all(rows.all() for rows in are.values()):
        return "probabilities"
    mostly = [name for name, rows in are.items() if rows.mean() > _MOSTLY]
    if mostly:
        name = next(name for name, rows in are.items() if not rows.all())
        row = int(are[name].argmin())
        inputs.check_finite(name, values[name])
        raise InputError(
            f"{mostly[0]} has probabilities, but {name}[{row}] sums to "
            f"{values[name][row].sum():.9g}, with the least entry "
            f"{values[name][row].min():.9g}; make all arrays alike, or say by "
            "'kind' what they hold"
        )
    x = np.concatenate(list(values.values()))
    with np.errstate(all="ignore"):
        normal = np.abs(logsumexp(x, axis=1)) <= _TOLERANCE
    if not (x > 0).any() and normal.all():
        return "log_probabilities"
    return "logits"


def _log_probs(name: str, x: np.ndarray, kind: str) -> np.ndarray:
    if kind == "logits":
        inputs.check_finite(name, x)
        return log_softmax(x, axis=1)
    if kind == "log_probabilities":
        if np.isnan(x).any() or (x > 0).any():
            where = inputs.first(np.isnan(x) | (x > 0))
            raise InputError(
                f"{name}{inputs.subscript(where)} is {x[where]:.9g}, no "
                "log-probability"
            )
        x = np.exp(x)
    total = x.sum(1)
    off = ~(np.abs(total - 1) <= _TOLERANCE) | (x < 0).any(1)
    if off.any():
        row = int(off.argmax())
        raise InputError(
            f"{name}[{row}] is no distribution: it sums to {total[row]:.9g}, "
            f"with the least entry {x[row].min():.9g}"
        )
    with np.errstate(divide="ignore"):
        return np.log(x / total[:, None])


def _log_prior(prior: Any, label: np.ndarray, classes: int) -> np.ndarray:
    if prior is None:
        counts = np.bincount(label, minlength=classes)
    else:
        counts = inputs.finite(_PRIOR, prior).astype(np.float64)
        if counts.shape != (classes,) or (counts < 0).any() or not counts.any():
            raise InputError(
                f"{_PRIOR} must be {classes} shares, one per class, none of "
                f"them negative, got {counts}"
            )
    with np.errstate(divide="ignore"):
        return np.log(counts / counts.sum())
