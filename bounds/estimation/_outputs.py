"""The decomposition of what several classifiers of a pair of sides say."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bounds.errors import InputError
from bounds.estimation._likeliest import Likeliest, likeliest
from bounds.estimation._posterior_input import error_by_unit
from bounds.estimation.calibration import possible_folds
from bounds.estimation.interactions import Range
from bounds.estimation.late_fusion import NAME as LATE
from bounds.estimation.late_fusion import fuse
from bounds.estimation.posteriors import PosteriorPID, pid_of_posteriors

# Standard errors to either end of a 95 % interval.
_ERRORS = 1.96
_SIDES = ("first", "second")
_OF_THE_JOINT = ("synergy", "total", "conditional1", "conditional2")
# p(y|x) by name of the classifier, of samples it was not fitted to, `[n, y]`.
Outputs = Mapping[str, np.ndarray]


class Answer(NamedTuple):
    """What classifiers say of the interactions of two sides.

    Attributes:
      pid: the decomposition; None if there is none.
      classifiers: the classifier that was taken of "first", "second" and,
        where labels of pairs are used, "joint", with its calibration; "joint"
        may be that of one side.
      interaction: information in bits that the best classifier with
        interactions has beyond the best additive one, a 95 % interval; None
        where labels of pairs are not used, or there is none of either kind.
      posteriors: what was decomposed, by "first", "second" and "joint",
        `[n, y]` each.
      learned: by "first", "second" and "joint": bits about the label that its
        classifier keeps more than if it is fitted to half of the samples, 95 %
        intervals; empty without halves.
      reason: why there is no decomposition.
    """

    pid: PosteriorPID | None
    classifiers: dict[str, dict[str, str]]
    interaction: Range | None
    posteriors: dict[str, np.ndarray]
    learned: dict[str, Range]
    reason: str = ""


class Halves(NamedTuple):
    """How to fit classifiers to halves of the samples.

    Attributes:
      outputs: ("first", "second" or "joint", name of the classifier) to
        p(y|x), `[n, y]`.
      half: 0 or 1 for every sample, `[n]`: classifiers behind one half's
        outputs have seen no sample that those behind the other's have.
    """

    outputs: Callable[[str, str], np.ndarray]
    half: np.ndarray


def decompose(
    first: Outputs,
    second: Outputs,
    additive: Outputs,
    interacting: Outputs,
    labels: np.ndarray,
    *,
    folds: np.ndarray,
    units: np.ndarray | None,
    weights: np.ndarray | None = None,
    half: np.ndarray | None = None,
    halves: Sequence[Halves] = (),
    calibration: str,
    replicates: int,
    seed: int,
) -> Answer:
    """Decomposes what the likeliest classifiers say, calibrated out of fold.

    Args:
      first: of the first side.
      second: of the second side.
      additive: of both together, without interactions; late fusion of what the
        sides say, and what either says, are more.
      interacting: of both together, with interactions.
      labels: classes, `[n]`.
      folds: codes, equal for samples whose answers come from classifiers that
        have seen no label of theirs, `[n]`.
      units: codes, equal for samples that depend on each other, `[n]`.
      weights: of the samples, `[n]`; equal by default.
      half: samples whose labels the first side has, `[n]`, where labels of
        pairs are not to be used; the second has the others'. There is no
        synergy then, and no total.
      halves: to tell laws of posteriors apart, see `pid_of_posteriors`, and
        what the other half of the samples has added.
      calibration: see `likeliest`.
      replicates: of the bootstrap.
      seed: of folds, subsamples and bootstrap.

    Returns:
      The answer; without a decomposition, and with the reason, where the
      samples allow none.
    """
    codes = np.arange(len(labels)) if units is None else units
    every = np.ones(len(labels), bool)
    weight = np.ones(len(labels)) if weights is None else weights
    resampling: dict[str, Any] = {"replicates": replicates, "seed": seed}
    chosen: dict[str, dict[str, str]] = {}
    taken: dict[str, np.ndarray] = {}
    learned: dict[str, Range] = {}
    interaction = None

    def best(
        outputs: Outputs, rows: np.ndarray, calibration: str = calibration
    ) -> Likeliest:
        return likeliest(
            {name: p[rows] for name, p in outputs.items()},
            labels[rows],
            weights=weight[rows],
            groups=codes[rows],
            calibration=calibration,
            folds=possible_folds(codes[rows]),
            seed=seed,
        )

    def take(role: str, answer: Likeliest) -> np.ndarray:
        chosen[role] = {"name": answer.name, "calibration": answer.calibration}
        taken[role] = answer.posteriors
        return answer.posteriors

    def like(whole: Likeliest, p: np.ndarray) -> Likeliest:
        return best({whole.name: p}, every, whole.calibration)

    def fused(r1: np.ndarray, r2: np.ndarray) -> np.ndarray:
        return fuse(
            r1, r2, labels, weights=weight, groups=codes,
            folds=possible_folds(codes), seed=seed,
        )  # fmt: skip

    def likelier(one: Likeliest, two: Likeliest) -> bool:
        return bool(weight @ (one.log_likelihood - two.log_likelihood) > 0)

    try:
        if half is not None:
            r1 = take("first", best(first, half))
            r2 = take("second", best(second, ~half))
            pid = pid_of_posteriors(
                r1, r2, labels1=labels[half], labels2=labels[~half],
                weights1=weight[half], weights2=weight[~half],
                groups1=codes[half], groups2=codes[~half], **resampling,
            )  # fmt: skip
            return Answer(pid, chosen, None, taken, learned)
        sides = best(first, every), best(second, every)
        r1, r2 = map(take, _SIDES, sides)
        joint = best({**additive, LATE: fused(r1, r2)}, every)
        both = joint
        # A classifier of both may look at one: it knows no less than either.
        for name, side in zip(_SIDES, sides, strict=True):
            if likelier(side, joint):
                joint = side._replace(name=name)
        if interacting:
            other = best(interacting, every)
            gain = other.log_likelihood - joint.log_likelihood
            interaction = _interval(gain, weight, codes)
            joint = other if likelier(other, joint) else joint
            both = other if likelier(other, both) else both
        fits = [
            [
                like(side, part.outputs(role, side.name))
                for role, side in zip(_SIDES, sides, strict=True)
            ]
            for part in halves
        ]
        apart = [
            (one.posteriors, two.posteriors, part.half)
            for (one, two), part in zip(fits, halves, strict=True)
        ]
        pid = pid_of_posteriors(
            r1, r2, r12=take("joint", joint), labels=labels, groups=units,
            weights1=weight, folds=folds, halves=apart, **resampling,
        )  # fmt: skip
        if halves:
            # Classifiers of both take the longest to fit: one division will do.
            less = dict(zip(_SIDES, fits[0], strict=True))
            if joint.name in _SIDES:
                less["joint"] = less[joint.name]
            elif joint.name == LATE:
                r1, r2 = (side.posteriors for side in fits[0])
                less["joint"] = like(joint, fused(r1, r2))
            else:
                p = halves[0].outputs("joint", joint.name)
                less["joint"] = like(joint, p)
            for whole, (role, part) in zip(
                (*sides, joint), less.items(), strict=True
            ):
                gain = whole.log_likelihood - part.log_likelihood
                learned[role] = _interval(gain, weight, codes)
    except InputError as reason:
        return Answer(None, chosen, interaction, taken, learned, str(reason))
    if joint.name in _SIDES:
        loss = joint.log_likelihood - both.log_likelihood
        most = math.log2(len(np.unique(labels[weight > 0])))
        _, error = _mean(loss, weight, codes)
        pid = _unsure_of_joint(pid, error, most)
    return Answer(pid, chosen, interaction, taken, learned)


def _unsure_of_joint(
    pid: PosteriorPID, error: float, most: float
) -> PosteriorPID:
    """What it means that one side was taken for both.

    Then the other adds nothing, in every replicate of the bootstrap; but that
    the side was the likelier is known only up to the error of the difference,
    by which the joint classifier's information may be larger.

    Args:
      pid: the decomposition.
      error: of the mean difference of the log-likelihoods of the side and the
        likeliest classifier of both, in bits.
      most: bits that the label can have.

    Returns:
      The decomposition, with wider error bars of what the joint has a say in.
    """
    deviation, interval = dict(pid.deviation), dict(pid.interval)
    for name in _OF_THE_JOINT:
        deviation[name] = math.hypot(deviation[name], error)
        value = getattr(pid, name)
        low, high = interval[name]
        wide = value + math.hypot(high - value, _ERRORS * error)
        interval[name] = (low, max(high, min(wide, most)))
    return pid._replace(deviation=deviation, interval=interval)


def _mean(
    values: np.ndarray, weights: np.ndarray, units: np.ndarray
) -> tuple[float, float]:
    """Mean of samples that depend on each other by unit, and its error."""
    weights = weights / weights.sum()
    mean = float(weights @ values)
    return mean, error_by_unit(weights * (values - mean), units)


def _interval(
    values: np.ndarray, weights: np.ndarray, units: np.ndarray
) -> Range:
    """95 % interval of such a mean."""
    mean, error = _mean(values, weights, units)
    return Range(mean - _ERRORS * error, mean + _ERRORS * error)
