"""What the decomposition of posteriors takes: checked arrays and tables."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation.calibration import (
    calibrate,
    classes,
    possible_folds,
    weights_of,
)

FEWEST = 10
# Subsamples that are decomposed where all samples are too many.
_SUBSAMPLES = 3
# Label frequencies contradict each other if they differ by this in total
# variation and by so many standard errors in a class.
_CONTRADICTION, _ERRORS = 0.05, 6.0
_NO_MASS = 1e-12


class Input(NamedTuple):
    """Checked arrays; `r` and `w` by name, labels where they are known."""

    r: dict[str, np.ndarray]
    w: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    prior: np.ndarray | None
    paired: bool
    units: np.ndarray  # [n] of the first modality, of all if paired
    units2: np.ndarray  # of the second

    def units_of(self, name: str) -> np.ndarray:
        """Codes of the samples of "r1", "r2" or "r12", `[n]`."""
        return self.units2 if name == "r2" else self.units


def checked(
    r1: Any, r2: Any, r12: Any, prior: Any, weights1: Any, weights2: Any,
    labels: Any, labels1: Any, labels2: Any, groups: Any,
    groups1: Any = None, groups2: Any = None,
) -> Input:  # fmt: skip
    given = {"r1": r1, "r2": r2} | ({} if r12 is None else {"r12": r12})
    r = {name: inputs.probabilities(name, x) for name, x in given.items()}
    num_classes = r["r1"].shape[1]
    for name, x in r.items():
        if x.shape[1] != num_classes:
            raise InputError(
                f"{name} has {x.shape[1]} classes, r1 has {num_classes}"
            )
        if len(x) < FEWEST:
            raise InputError(
                f"{name} has {len(x)} samples; at least {FEWEST} are needed"
            )
    paired = any(x is not None for x in (labels, groups, r12))
    if paired:
        for name, x in r.items():
            if len(x) != len(r["r1"]):
                raise InputError(
                    f"{name} has {len(x)} samples, r1 has {len(r['r1'])}: "
                    "r12, labels and groups are for paired samples; give "
                    "labels1 and labels2 of others"
                )
    w1 = weights_of("weights1", weights1, len(r["r1"]))
    if weights2 is None and paired:
        w2 = w1
    else:
        w2 = weights_of("weights2", weights2, len(r["r2"]))
    known = {}
    for name, y in {"r1": labels1, "r2": labels2, "r12": None}.items():
        if y is not None and labels is not None:
            raise InputError("give labels, or labels1 and labels2, not both")
        y = labels if y is None else y
        if y is not None and name in r:
            known[name] = classes(
                "labels" if labels is not None else f"labels{name[1:]}",
                y, len(r[name]), num_classes,
            )  # fmt: skip
    if paired and (groups1 is not None or groups2 is not None):
        raise InputError(
            "groups1 and groups2 are for samples that are not paired; give "
            "groups of paired ones"
        )
    units = _units("groups1", groups1, "r1", r)
    units2 = _units("groups2", groups2, "r2", r)
    if groups is not None:
        units = units2 = _units("groups", groups, "r1", r)
    if prior is not None:
        prior = inputs.distribution("prior", prior)
        if len(prior) != num_classes:
            raise InputError(
                f"prior has {len(prior)} classes, r1 has {num_classes}"
            )
    weights = {"r1": w1, "r2": w2} | ({"r12": w1} if r12 is not None else {})
    return Input(r, weights, known, prior, paired, units, units2)


def _units(
    name: str, groups: Any, of: str, r: dict[str, np.ndarray]
) -> np.ndarray:
    if groups is None:
        return np.arange(len(r[of]))
    units = inputs.codes(name, groups)
    if len(units) != len(r[of]):
        raise InputError(
            f"{name} has {len(units)} entries for {len(r[of])} samples"
        )
    return units


def calibrated(data: Input, kind: str, seed: int) -> Input:
    r = {}
    for name, x in data.r.items():
        if name not in data.labels:
            raise InputError(
                f"calibration needs labels of the samples of {name}"
            )
        r[name] = calibrate(
            x, data.labels[name], kind=kind, weights=data.w[name],
            groups=data.units_of(name),
            folds=possible_folds(data.units_of(name)), seed=seed,
        ).probabilities  # fmt: skip
    return data._replace(r=r)


def label_prior(data: Input) -> np.ndarray:
    """The label's distribution; refuses those that contradict each other."""
    means = {name: data.w[name] @ r for name, r in data.r.items()}
    known = {name: (means[name], _mean_error(data, name)) for name in means}
    if data.prior is not None:
        known = {"prior": (data.prior, np.zeros_like(data.prior)), **known}
    (base, (p, error)), *others = known.items()
    for name, (q, other) in others:
        lacking = (np.minimum(p, q) <= _NO_MASS) & (np.maximum(p, q) > 1e-6)
        if lacking.any():
            y = int(lacking.argmax())
            low, high = (name, base) if q[y] <= _NO_MASS else (base, name)
            raise InputError(
                f"{low} gives class {y} no mass, {high} gives it "
                f"{max(p[y], q[y]):.3g}"
            )
        off = np.abs(p - q) - _ERRORS * np.hypot(error, other)
        if off.max() > 0 and np.abs(p - q).sum() / 2 > _CONTRADICTION:
            y = int(off.argmax())
            raise InputError(
                f"{base} and {name} contradict each other on p(y={y}): "
                f"{p[y]:.3g} against {q[y]:.3g}; posteriors must be of one "
                "population, under one prior"
            )
    if data.prior is not None:
        return data.prior
    return (means["r1"] + means["r2"]) / 2


def _mean_error(data: Input, name: str) -> np.ndarray:
    r, w = data.r[name], data.w[name]
    units = data.units_of(name)
    return np.array(
        [error_by_unit(x, units) for x in (w[:, None] * (r - w @ r)).T]
    )


def subsamples(
    data: Input, max_atoms: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs of indices of samples of r1 and of r2."""
    n1, n2 = len(data.r["r1"]), len(data.r["r2"])
    if n1 + n2 <= max_atoms:
        yield np.arange(n1), np.arange(n2)
        return
    most1 = min(n1, max(max_atoms // 2, max_atoms - n2))
    most2 = min(n2, max_atoms - most1)
    for _ in range(_SUBSAMPLES):
        index1 = np.sort(rng.permutation(n1)[:most1])
        index2 = np.sort(rng.permutation(n2)[:most2])
        yield index1, index1 if data.paired else index2


def restricted(data: Input, index1: np.ndarray, index2: np.ndarray) -> Input:
    index = {"r1": index1, "r2": index2, "r12": index1}
    r = {name: x[index[name]] for name, x in data.r.items()}
    w = {name: x[index[name]] for name, x in data.w.items()}
    w = {name: x / x.sum() for name, x in w.items()}
    return data._replace(
        r=r,
        w=w,
        labels={},
        units=data.units[index1],
        units2=data.units2[index2],
    )


def table(r: np.ndarray, w: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """p(i, y) = w_i r_i(y) with the columns scaled to the prior, `[n, y]`."""
    p = w[:, None] * r
    mass = p.sum(0)
    return p * (prior / np.where(mass > 0, mass, 1))


def information(p: np.ndarray, prior: np.ndarray) -> float:
    """I of a table `[n, y]` whose label has the law `prior`, in bits."""
    return float(pointwise(p, prior).sum())


def pointwise(p: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Every sample's share of the information, `[n]`."""
    return np.sum(p * log_ratio(p, prior), axis=1)


def log_ratio(p: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """log2 p(y|i) / p(y) of a table, 0 where it is empty, `[n, y]`."""
    total = p.sum(1, keepdims=True) * prior
    return np.log2(np.where(p > 0, p, 1) / np.where(p > 0, total, 1))


def error_of_difference(data: Input, prior: np.ndarray) -> float:
    """Standard error of the difference of the informations of r1 and r2."""
    each = []
    for name in ("r1", "r2"):
        w = data.w[name]
        p = pointwise(table(data.r[name], w, prior), prior)
        each.append(p - w * p.sum())
    if data.paired:
        return error_by_unit(each[0] - each[1], data.units)
    return math.hypot(
        error_by_unit(each[0], data.units), error_by_unit(each[1], data.units2)
    )


def error_by_unit(deviations: np.ndarray, units: np.ndarray) -> float:
    """Standard error of a mean of samples that depend on each other by unit.

    Args:
      deviations: from the mean, times the weights, whose sum is 1, `[n]`.
      units: codes, `[n]`.
    """
    codes = np.unique(units, return_inverse=True)[1]
    sums = np.bincount(codes, deviations)
    number = len(sums)
    return float(np.sqrt(sums @ sums * number / max(number - 1, 1)))


def informations(data: Input, prior: np.ndarray) -> dict[str, float]:
    return {
        name: information(table(r, data.w[name], prior), prior)
        for name, r in data.r.items()
    }
