"""The decomposition of posteriors: real modalities, without symbols.

All that modality i says about the label is in r_i = p(.|x_i), and redundancy
and unique informations depend on the laws of (r1, Y) and (r2, Y) only. So the
samples are the alphabet: sample i has p(i, y) = w_i r_i(y), and the table of
samples of one modality against those of the other is decomposed as any other
(`bounds._scaling`). The samples of the modalities need not be paired.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation import (
    _overclaim,
    _pooled,
    _posterior_bootstrap,
    _posterior_checks,
    _posterior_solve,
)
from bounds.estimation._posterior_bootstrap import with_sums
from bounds.estimation._posterior_input import (
    FEWEST,
    Input,
    calibrated,
    checked,
    error_of_difference,
    informations,
    label_prior,
    pointwise,
    restricted,
    subsamples,
    table,
)
from bounds.estimation._statistics import entropy
from bounds.estimation.calibration import KINDS, folds_of, possible_folds

# What the solver and the choice of atoms have a say in.
_OF_ATOMS = ("redundancy", "unique1", "unique2", "synergy")
# Share of the bias that may be wrong: on problems with known answers its error
# was no larger.
_UNSURE = 0.5
# Samples of a fold, at most, for what labels deny.
_OF_A_FOLD = 1000
_NORMAL = scipy.special.ndtri((np.arange(1000) + 0.5) / 1000)
# What a joint classifier that has not learned all can make negative.
_OF_THE_JOINT = ("synergy", "conditional1", "conditional2")


class PosteriorPID(NamedTuple):
    """Decomposition of I(X1,X2;Y) from posteriors, in bits.

    Attributes:
      redundancy: see `bounds.PID`.
      unique1: see `bounds.PID`.
      unique2: see `bounds.PID`.
      synergy: total less the sum of these three; None without r12. As good as
        the joint classifier: one that has not learned all makes it too small,
        negative even.
      total: I(X1,X2;Y) by r12; None without it. As the other informations it
        has back what `soft` loses to p(y), which is of the same samples, up to
        the bits that the label can have.
      gap: proven error of the decomposition of the atoms; not the sampling's.
      status: the worst `bounds.Status` of the solver; STEP_LIMIT is ordinary,
        for the value is good long before its proof is.
      steps: the most steps that it took.
      soft: E KL(r || p(y)) of "r1", "r2" and, if given, "r12": what they claim.
      hard: E log r(label) / p(label) of those with labels: what they keep, a
        lower bound on the information in expectation.
      deviation: standard error of every quantity, over bootstrap replicates of
        the units, also of `information1`, `information2` and, with r12,
        `conditional1` and `conditional2`. That of the first four has, in
        quadrature, the scatter between subsamples, that of `overclaimed`, and
        half of `bias`.
      bias: taken off the mean of unique1 and unique2 (and added to redundancy).
      overclaimed: taken off likewise: what the posteriors claim of the least
        information and the labels do not keep; 0 without `folds`, and where
        calibration is in doubt.
      interval: ends of the confidence interval of every quantity in
        `deviation`, by the bootstrap; the gap is added.
      contributions: of every sample to every quantity, `[n]`, with these means;
        None if samples are not paired or were subsampled. One convention: see
        docs/posteriors.md.
      atoms: samples of both modalities in one solved table.
      doubts: reasons for which the numbers are not to be relied on, each with
        what would be needed; empty if there is none.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float | None
    total: float | None
    gap: float
    status: int
    steps: int
    soft: dict[str, float]
    hard: dict[str, float]
    deviation: dict[str, float]
    bias: float
    overclaimed: float
    interval: dict[str, tuple[float, float]]
    contributions: dict[str, np.ndarray] | None
    atoms: int
    doubts: tuple[str, ...]

    @property
    def information1(self) -> float:
        """I(X1;Y), in bits."""
        return self.redundancy + self.unique1

    @property
    def information2(self) -> float:
        """I(X2;Y), in bits."""
        return self.redundancy + self.unique2

    @property
    def conditional1(self) -> float | None:
        """I(X1;Y|X2), what the first adds to the second; None without r12."""
        return None if self.synergy is None else self.unique1 + self.synergy

    @property
    def conditional2(self) -> float | None:
        """I(X2;Y|X1), what the second adds to the first; None without r12."""
        return None if self.synergy is None else self.unique2 + self.synergy


def pid_of_posteriors(
    r1: Any,
    r2: Any,
    *,
    prior: Any = None,
    weights1: Any = None,
    weights2: Any = None,
    r12: Any = None,
    labels: Any = None,
    labels1: Any = None,
    labels2: Any = None,
    groups: Any = None,
    groups1: Any = None,
    groups2: Any = None,
    folds: Any = None,
    halves: Any = (),
    calibration: str | None = None,
    correct_bias: bool = True,
    max_atoms: int = 4000,
    replicates: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> PosteriorPID:
    """Decomposes what two modalities say about a label, from posteriors.

    Args:
      r1: p(y|x1) of samples, `[n1, y]`: a calibrated classifier's answers on
        samples that it was not fitted to.
      r2: p(y|x2), `[n2, y]`, of the same samples or of others.
      prior: p(y), `[y]`; by default the mean of the posteriors.
      weights1: of the samples of r1, `[n1]`, such as inverse probabilities;
        equal by default.
      weights2: of the samples of r2; by default those of r1 if the samples
        are paired.
      r12: p(y|x1,x2), `[n, y]`, of the samples of r1 and r2 if those are
        paired. Needed for total and synergy.
      labels: classes of paired samples, `[n]`: the rows of r1, r2 and r12 are
        of the same samples.
      labels1: classes of the samples of r1 if they are not paired.
      labels2: classes of the samples of r2 if they are not paired.
      groups: of paired samples, `[n]`, such as persons; whole ones are drawn
        by the bootstrap.
      groups1: of the samples of r1 if they are not paired, `[n1]`.
      groups2: of the samples of r2 if they are not paired, `[n2]`; drawn
        without regard to those of r1.
      folds: of paired samples with labels, codes `[n]`, equal for samples of
        one fold, none of whose labels the classifiers behind its posteriors
        have seen; all equal for classifiers that were fitted elsewhere. With
        them, what fitted posteriors claim of the least information and labels
        do not keep is taken off, if they are calibrated on the whole; exact
        ones need none.
      halves: of fitted posteriors, triples (r1, r2, half), one for each way to
        divide the samples: posteriors of the same paired samples, calibrated,
        by classifiers that were fitted to half as many, and 0 or 1 for each
        sample, `[n]`, such that those behind one half have seen no sample that
        those behind the other have. What tells the laws of both modalities
        apart is then only what does so in all halves, and not what a fit has
        wrong.
      calibration: "temperature" or "vector" calibrates all posteriors by their
        labels first, see `bounds.calibrate`.
      correct_bias: estimate, and take off, what is due to samples of two laws
        never meeting (`bounds.estimation._pooled`).
      max_atoms: atoms of both modalities in one table. Of more samples,
        subsamples of so many are decomposed and averaged.
      replicates: of the bootstrap, by which informations are corrected, too.
      confidence: level of the intervals.
      seed: of subsamples, folds and bootstrap.

    Returns:
      The decomposition.

    Raises:
      InputError: posteriors with NaN, or that do not sum to 1, logits among
        them; a class that one modality's samples lack; priors that contradict
        each other; weights that are negative or all zero; fewer than 10
        samples; numbers of samples, classes or labels that do not agree.
    """
    seed = inputs.seed("seed", seed)
    confidence = inputs.real("confidence", confidence, above=0, below=1)
    replicates = inputs.integer("replicates", replicates, 2)
    max_atoms = inputs.integer("max_atoms", max_atoms, 2 * FEWEST)
    correct_bias = inputs.boolean("correct_bias", correct_bias)
    if calibration is not None:
        inputs.choice("calibration", calibration, KINDS)
    data = checked(
        r1, r2, r12, prior, weights1, weights2, labels, labels1, labels2,
        groups, groups1, groups2,
    )  # fmt: skip
    if calibration is not None:
        data = calibrated(data, calibration, seed)
    p = label_prior(data)
    rng = np.random.default_rng(seed)
    parts = list(subsamples(data, max_atoms, rng))
    soft = informations(data, p)
    hard, miscalibrated = _posterior_checks.miscalibration(data, p, soft)
    over = _overclaim.Overclaim(0.0, 0.0)
    if folds is not None:
        folds = _folds(folds, data)
        # Of posteriors that are wrong on the whole it would be anything.
        if not {"r1", "r2"} & miscalibrated.keys():
            own = np.random.default_rng([seed, 1])
            over = _overclaim.overclaim(
                data, p, folds, own, most=min(max_atoms // 2, _OF_A_FOLD)
            )
    apart = [
        _halves(i, one, data)
        for i, one in enumerate(inputs.listed("halves", halves))
    ]
    laws = _laws(data, seed, apart) if correct_bias else None
    # The bias depends on the number of atoms, and is measured once.
    solutions = [
        _posterior_solve.solve(data, p, *part, None if i else laws, rng)
        for i, part in enumerate(parts)
    ]
    solution, part = solutions[0], parts[0]
    sub = restricted(data, *part)
    spread = _posterior_bootstrap.changes(sub, solution, replicates, rng)
    # A subsample's replicates scatter more than those of all would.
    share = _share(data, sub)
    lost, lost_excess = _posterior_bootstrap.losses(spread, share)
    most = math.log2(np.count_nonzero(p))
    if data.prior is not None:
        # What is known of p(y) loses nothing to it.
        lost, lost_excess = dict.fromkeys(lost, 0.0), 0.0
        most = float(entropy(p))
    values, between = _posterior_solve.combine(
        solutions,
        {name: min(x + lost[name], most) for name, x in soft.items()},
        error_of_difference(data, p),
        most,
        over.value - lost_excess,
    )
    between = math.hypot(between, over.error, _UNSURE * solution.bias)
    values = with_sums(values)
    gap = max(s.gap for s in solutions)
    deviation, interval = {}, {}
    tail = (1 - confidence) / 2
    for name, value in values.items():
        draws = (spread[name] - spread[name].mean()) * math.sqrt(share)
        alone = float(draws.std())
        atoms = name in _OF_ATOMS
        deviation[name] = math.hypot(alone, between if atoms else 0.0)
        # Without any scatter of replicates, as wide as what else is unsure.
        shape = draws / alone if alone > 0 else _NORMAL
        low, high = value + deviation[name] * np.quantile(
            shape, [tail, 1 - tail]
        )
        if atoms:
            low, high = low - gap, high + gap
        high = min(high, most)
        if name not in _OF_THE_JOINT:
            low = max(low, 0.0)
        # At the edge of what is possible all replicates may be on one side.
        interval[name] = (min(float(low), value), max(float(high), value))
    interval = _posterior_checks.possible(interval, values)
    contributions = None
    if data.paired and len(parts) == 1:
        contributions = _contributions(data, p, solution, values)
    doubts = [
        *miscalibrated.values(),
        *_posterior_checks.other_doubts(data, p, values, deviation, gap),
    ]
    return PosteriorPID(
        redundancy=values["redundancy"],
        unique1=values["unique1"],
        unique2=values["unique2"],
        synergy=values.get("synergy"),
        total=values.get("total"),
        gap=gap,
        status=max(s.status for s in solutions),
        steps=max(s.steps for s in solutions),
        soft=soft,
        hard=hard,
        deviation=deviation,
        bias=solution.bias,
        overclaimed=over.value,
        interval=interval,
        contributions=contributions,
        atoms=len(part[0]) + len(part[1]),
        doubts=tuple(doubts),
    )


def _share(data: Input, sub: Input) -> float:
    """The part of all units, of either modality, that a part has."""
    return max(
        len(np.unique(sub.units_of(n))) / len(np.unique(data.units_of(n)))
        for n in ("r1", "r2")
    )


def _folds(folds: Any, data: Input) -> np.ndarray:
    codes = inputs.codes("folds", folds)
    if not (data.paired and {"r1", "r2"} <= data.labels.keys()):
        raise InputError("folds are for paired samples with labels")
    if len(codes) != len(data.r["r1"]):
        raise InputError(
            f"folds has {len(codes)} entries for {len(data.r['r1'])} samples"
        )
    return codes


def _halves(number: int, given: Any, data: Input) -> _pooled.Halves:
    where = f"halves[{number}]"
    if not data.paired:
        raise InputError("halves are for paired samples")
    given = inputs.listed(where, given)
    if len(given) != 3:
        raise InputError(
            f"{where} must be (r1, r2, half), got {len(given)} entries"
        )
    r = []
    for i, name in enumerate(("r1", "r2")):
        x = inputs.probabilities(f"{where}[{i}]", given[i])
        if x.shape != data.r[name].shape:
            raise InputError(
                f"{where}[{i}] has shape {x.shape}, {name} has "
                f"{data.r[name].shape}"
            )
        r.append(x)
    half = inputs.codes(f"{where}[2]", given[2])
    if len(half) != len(r[0]) or len(np.unique(half)) != 2:
        raise InputError(
            f"{where}[2] must have two values for {len(r[0])} samples, got "
            f"{len(np.unique(half))} for {len(half)}"
        )
    return _pooled.Halves(r[0], r[1], np.concatenate([half, half]))


def _laws(
    data: Input, seed: int, halves: Sequence[_pooled.Halves]
) -> _pooled.Laws:
    names = ("r1", "r2")
    units = [data.units_of(n) for n in names]
    number = min(map(possible_folds, units))
    folds = [folds_of(u, len(u), number, seed) for u in units]
    (r1, r2), (w1, w2) = ([x[n] for n in names] for x in (data.r, data.w))
    return _pooled.pool(r1, r2, w1, w2, np.concatenate(folds), halves)


def _contributions(
    data: Input,
    prior: np.ndarray,
    solution: _posterior_solve.Solution,
    values: dict[str, float],
) -> dict[str, np.ndarray]:
    """Every sample's share, such that the weighted means are the values."""
    tables = {n: table(r, data.w[n], prior) for n, r in data.r.items()}
    w = np.where(data.w["r1"] > 0, data.w["r1"], 1)
    w2 = np.where(data.w["r2"] > 0, data.w["r2"], 1)
    info = {n: pointwise(p, prior) for n, p in tables.items()}
    label = np.log2(np.where(prior > 0, prior, 1))
    minimum = np.sum(tables["r1"] * (solution.lam - label / 2), 1) / w
    minimum += np.sum(tables["r2"] * (solution.mu - label / 2), 1) / w2
    one, two = info["r1"] / w, info["r2"] / w2
    out = {
        "redundancy": one + two - minimum,
        "unique1": minimum - two,
        "unique2": minimum - one,
    }
    if "r12" in info:
        out["synergy"] = info["r12"] / w - minimum
        out["total"] = info["r12"] / w
    # What corrections and the gap leave is spread evenly.
    return {
        name: x + (values[name] - data.w["r1"] @ x) for name, x in out.items()
    }
