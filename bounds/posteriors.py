"""The decomposition of posteriors: real modalities, without symbols.

All that modality i says about the label is in r_i = p(.|x_i), and redundancy
and unique informations depend on the laws of (r1, Y) and (r2, Y) only. So the
samples are the alphabet: sample i has p(i, y) = w_i r_i(y), and the table of
samples of one modality against those of the other is decomposed as any other
(`bounds._scaling`). The samples of the modalities need not be paired.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from bounds import _pooled, _scaling, _solvers, inputs
from bounds._entry import compile_and_call
from bounds.calibration import (
    KINDS,
    calibrate,
    classes,
    folds_of,
    weights_of,
)
from bounds.errors import InputError

_FOLDS = 5
_FEWEST = 10
_TOLERANCE, _MAX_STEPS = 2e-3, 400
# Subsamples that are decomposed where all samples are too many.
_SUBSAMPLES = 3
# Label frequencies contradict each other if they differ by this in total
# variation and by so many standard errors in a class.
_CONTRADICTION, _ERRORS = 0.05, 6.0
# What makes an answer doubtful: miscalibration in bits and standard errors,
# samples per class, and a solver's gap or a deviation between subsamples.
_MISCALIBRATED, _SIGNIFICANT = 0.05, 3.0
_PER_CLASS = 5.0
_COARSE = 0.05
_NO_MASS = 1e-12
QUANTITIES = ("redundancy", "unique1", "unique2", "synergy", "total")


class PosteriorPID(NamedTuple):
    """Decomposition of I(X1,X2;Y) from posteriors, in bits.

    Attributes:
      redundancy: see `bounds.PID`.
      unique1: see `bounds.PID`.
      unique2: see `bounds.PID`.
      synergy: total less the sum of these three; None without r12. As good as
        the joint classifier: one that has not learned all makes it too small,
        negative even.
      total: I(X1,X2;Y) by r12; None without it.
      gap: proven error of the decomposition of the atoms; not the sampling's.
      status: the worst `bounds.Status` of the solver.
      steps: the most steps that it took.
      soft: E KL(r || p(y)) of "r1", "r2" and, if given, "r12": what they claim.
      hard: E log r(label) / p(label) of those with labels: what they keep, a
        lower bound on the information in expectation.
      deviation: standard error of every quantity, over bootstrap replicates of
        the units and, in quadrature, between subsamples.
      interval: ends of the confidence interval of every quantity.
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
    interval: dict[str, tuple[float, float]]
    contributions: dict[str, np.ndarray] | None
    atoms: int
    doubts: tuple[str, ...]


class _Input(NamedTuple):
    """Checked arrays; `r` and `w` by name, labels where they are known."""

    r: dict[str, np.ndarray]
    w: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    prior: np.ndarray | None
    paired: bool
    units: np.ndarray  # [n] of the first modality, of all if paired


class _Solution(NamedTuple):
    """The least information of the atoms, with its multipliers, in bits."""

    minimum: float
    first: float
    second: float
    plain1: float  # informations of the same samples, not pooled
    plain2: float
    gap: float
    status: int
    steps: int
    lam: np.ndarray  # [n1 + n2, y]
    mu: np.ndarray


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
    calibration: str | None = None,
    pooled: bool = True,
    max_atoms: int = 2000,
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
      calibration: "temperature" or "vector" calibrates all posteriors by their
        labels first, see `bounds.calibrate`.
      pooled: put both laws on all atoms, which removes the bias that is due
        to samples of two laws never meeting (`bounds._pooled`).
      max_atoms: atoms of both modalities in one table. Of more samples,
        subsamples of so many are decomposed and averaged.
      replicates: of the bootstrap.
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
    max_atoms = inputs.integer("max_atoms", max_atoms, 2 * _FEWEST)
    if calibration is not None:
        inputs.choice("calibration", calibration, KINDS)
    data = _checked(
        r1, r2, r12, prior, weights1, weights2, labels, labels1, labels2, groups
    )
    if calibration is not None:
        data = _calibrated(data, calibration, seed)
    p = _prior(data)
    units = data.units if data.paired else None
    folds = {
        name: folds_of(units, len(data.r[name]), _folds(data), seed)
        for name in ("r1", "r2")
    }
    rng = np.random.default_rng(seed)
    parts = list(_subsamples(data, max_atoms, rng))
    solutions = [
        _decompose(data, p, folds, *part, pooled=pooled) for part in parts
    ]
    whole = _informations(data, p)
    values, between = _combine(solutions, whole)
    solution, part = solutions[0], parts[0]
    sub = _restricted(data, *part)
    spread = _bootstrap(sub, solution, replicates, rng)
    # A subsample's replicates scatter more than those of all would.
    share = sum(map(len, part)) / sum(len(data.r[x]) for x in ("r1", "r2"))
    deviation, interval = {}, {}
    tail = (1 - confidence) / 2
    for name, value in values.items():
        draws = spread[name] * math.sqrt(share)
        alone = float(draws.std())
        deviation[name] = math.hypot(alone, between.get(name, 0.0))
        draws *= deviation[name] / alone if alone > 0 else 1.0
        ends = value + np.quantile(draws, [tail, 1 - tail])
        if name != "synergy":
            ends = np.maximum(ends, 0)
        interval[name] = (float(ends[0]), float(ends[1]))
    contributions = None
    if data.paired and len(parts) == 1:
        contributions = _contributions(data, p, solution, values)
    soft, hard, doubts = _calibration_of(data, p, whole)
    gap = max(s.gap for s in solutions)
    doubts += _other_doubts(data, p, values, deviation, between, gap)
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
        interval=interval,
        contributions=contributions,
        atoms=len(part[0]) + len(part[1]),
        doubts=tuple(doubts),
    )


def _checked(
    r1: Any, r2: Any, r12: Any, prior: Any, weights1: Any, weights2: Any,
    labels: Any, labels1: Any, labels2: Any, groups: Any,
) -> _Input:  # fmt: skip
    given = {"r1": r1, "r2": r2} | ({} if r12 is None else {"r12": r12})
    r = {name: inputs.probabilities(name, x) for name, x in given.items()}
    num_classes = r["r1"].shape[1]
    for name, x in r.items():
        if x.shape[1] != num_classes:
            raise InputError(
                f"{name} has {x.shape[1]} classes, r1 has {num_classes}"
            )
        if len(x) < _FEWEST:
            raise InputError(
                f"{name} has {len(x)} samples; at least {_FEWEST} are needed"
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
    units = np.arange(len(r["r1"]))
    if groups is not None:
        units = inputs.codes("groups", groups)
        if len(units) != len(r["r1"]):
            raise InputError(
                f"groups has {len(units)} entries for {len(r['r1'])} samples"
            )
    if prior is not None:
        prior = inputs.probabilities("prior", [prior])[0]
        if len(prior) != num_classes:
            raise InputError(
                f"prior has {len(prior)} classes, r1 has {num_classes}"
            )
    weights = {"r1": w1, "r2": w2} | ({"r12": w1} if r12 is not None else {})
    return _Input(r, weights, known, prior, paired, units)


def _calibrated(data: _Input, kind: str, seed: int) -> _Input:
    r = {}
    for name, x in data.r.items():
        if name not in data.labels:
            raise InputError(
                f"calibration needs labels of the samples of {name}"
            )
        r[name] = calibrate(
            x, data.labels[name], kind=kind, weights=data.w[name],
            groups=data.units if data.paired else None,
            folds=_folds(data), seed=seed,
        ).probabilities  # fmt: skip
    return data._replace(r=r)


def _folds(data: _Input) -> int:
    return max(2, min(_FOLDS, len(np.unique(data.units))))


def _prior(data: _Input) -> np.ndarray:
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


def _mean_error(data: _Input, name: str) -> np.ndarray:
    r, w = data.r[name], data.w[name]
    return np.sqrt(w**2 @ (r - w @ r) ** 2)


def _subsamples(data: _Input, max_atoms: int, rng: np.random.Generator) -> Any:
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


def _restricted(data: _Input, index1: np.ndarray, index2: np.ndarray) -> _Input:
    index = {"r1": index1, "r2": index2, "r12": index1}
    r = {name: x[index[name]] for name, x in data.r.items()}
    w = {name: x[index[name]] for name, x in data.w.items()}
    w = {name: x / x.sum() for name, x in w.items()}
    return data._replace(r=r, w=w, labels={}, units=data.units[index1])


def table(r: np.ndarray, w: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """p(i, y) = w_i r_i(y) with the columns scaled to the prior, `[n, y]`."""
    p = w[:, None] * r
    mass = p.sum(0)
    return p * (prior / np.where(mass > 0, mass, 1))


def information(p: np.ndarray, prior: np.ndarray) -> float:
    """I of a table `[n, y]` whose label has the law `prior`, in bits."""
    return float(_pointwise(p, prior).sum())


def _pointwise(p: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Every sample's share of the information, `[n]`."""
    total = p.sum(1, keepdims=True) * prior
    ratio = np.where(p > 0, p, 1) / np.where(p > 0, total, 1)
    return np.sum(p * np.log2(ratio), axis=1)


def _informations(data: _Input, prior: np.ndarray) -> dict[str, float]:
    return {
        name: information(table(r, data.w[name], prior), prior)
        for name, r in data.r.items()
    }


def _decompose(
    data: _Input,
    prior: np.ndarray,
    folds: dict[str, np.ndarray],
    index1: np.ndarray,
    index2: np.ndarray,
    *,
    pooled: bool,
) -> _Solution:
    """Solves the table of the atoms of a subsample."""
    sub = _restricted(data, index1, index2)
    r1, r2 = sub.r["r1"], sub.r["r2"]
    w1, w2 = sub.w["r1"], sub.w["r2"]
    if pooled:
        laws = _pooled.pool(
            r1, r2, w1, w2, folds["r1"][index1], folds["r2"][index2]
        )
    else:
        laws = _pooled.apart(r1, r2, w1, w2)
    p1 = table(laws.atoms1, laws.weights1, prior)
    p2 = table(laws.atoms2, laws.weights2, prior)
    nats = _TOLERANCE * math.log(2)
    state = compile_and_call(_solve, p1, p2, np.asarray(nats))
    # lam and mu are the derivatives of T_min - H(Y), with every class's
    # constant split evenly between the modalities.
    lam, mu = state.lam.T / math.log(2), state.mu.T / math.log(2)
    half = (np.sum(p1 * lam, 0) - np.sum(p2 * mu, 0)) / 2
    shift = half / np.where(prior > 0, prior, 1)
    lam, mu = lam - shift, mu + shift
    return _Solution(
        minimum=float(state.upper) / math.log(2) + _entropy(prior),
        first=information(p1, prior),
        second=information(p2, prior),
        plain1=information(table(r1, w1, prior), prior),
        plain2=information(table(r2, w2, prior), prior),
        gap=float(_scaling.gap_nats(state)) / math.log(2),
        status=int(state.status),
        steps=int(state.steps),
        lam=lam[: len(r1)],
        mu=mu[-len(r2) :],
    )


def _solve(p1y: Any, p2y: Any, tol: Any) -> Any:
    state = _solvers.scale(p1y[None], p2y[None], tol, _MAX_STEPS)
    return jax.tree.map(lambda x: x[0], state)


def _entropy(p: np.ndarray) -> float:
    return -float(np.sum(p * np.log2(np.where(p > 0, p, 1))))


def _combine(
    solutions: list[_Solution], whole: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Averages subsamples; returns values and standard errors of the mean.

    What a subsample has too much of either information cancels in the
    difference of its minimum and the mean of the two.
    """
    excess = np.array([s.minimum - (s.first + s.second) / 2 for s in solutions])
    between = {}
    if len(solutions) > 1:
        error = float(excess.std(ddof=1)) / math.sqrt(len(solutions))
        between = dict.fromkeys(QUANTITIES[:4], error)
    # All samples' informations, with what pooling changed in the subsamples'.
    one = whole["r1"] + float(np.mean([s.first - s.plain1 for s in solutions]))
    two = whole["r2"] + float(np.mean([s.second - s.plain2 for s in solutions]))
    minimum = max(float(excess.mean()) + (one + two) / 2, one, two)
    values = {
        "redundancy": one + two - minimum,
        "unique1": minimum - two,
        "unique2": minimum - one,
    }
    if "r12" in whole:
        values["synergy"] = whole["r12"] - minimum
        values["total"] = whole["r12"]
    return values, between


def _bootstrap(
    data: _Input, solution: _Solution, replicates: int, rng: Any
) -> dict[str, np.ndarray]:
    """Changes of the quantities with the units drawn anew, `[replicates]`.

    The multiplicities are weights of the atoms. The multipliers of the full
    solution are feasible for any weights, so they bound every replicate's
    minimum from below, and it differs from the bound in second order only.
    """

    def weights() -> dict[str, np.ndarray]:
        if data.paired:
            codes = np.unique(data.units, return_inverse=True)[1]
            number = int(codes.max()) + 1
            counts = rng.multinomial(number, np.full(number, 1 / number))
            drawn = dict.fromkeys(data.r, counts[codes])
        else:
            drawn = {
                name: rng.multinomial(len(r), np.full(len(r), 1 / len(r)))
                for name, r in data.r.items()
            }
        return {name: data.w[name] * drawn[name] for name in data.r}

    def statistics(w: dict[str, np.ndarray]) -> dict[str, float]:
        w = {name: x / x.sum() for name, x in w.items()}
        means = {name: w[name] @ data.r[name] for name in w}
        prior = data.prior
        if prior is None:
            prior = (means["r1"] + means["r2"]) / 2
        tables = {name: table(data.r[name], w[name], prior) for name in w}
        info = {name: information(p, prior) for name, p in tables.items()}
        minimum = np.sum(tables["r1"] * solution.lam)
        minimum += np.sum(tables["r2"] * solution.mu)
        minimum += _entropy(prior)
        out = {
            "redundancy": info["r1"] + info["r2"] - minimum,
            "unique1": minimum - info["r2"],
            "unique2": minimum - info["r1"],
        }
        if "r12" in info:
            out["synergy"] = info["r12"] - minimum
            out["total"] = info["r12"]
        return {name: float(x) for name, x in out.items()}

    centre = statistics(data.w)
    draws: dict[str, list[float]] = {name: [] for name in centre}
    while len(draws["redundancy"]) < replicates:
        w = weights()
        if not all(x.any() for x in w.values()):
            continue
        for name, value in statistics(w).items():
            draws[name].append(value - centre[name])
    return {name: np.array(x) for name, x in draws.items()}


def _contributions(
    data: _Input,
    prior: np.ndarray,
    solution: _Solution,
    values: dict[str, float],
) -> dict[str, np.ndarray]:
    """Every sample's share, such that the weighted means are the values."""
    tables = {n: table(r, data.w[n], prior) for n, r in data.r.items()}
    w = np.where(data.w["r1"] > 0, data.w["r1"], 1)
    w2 = np.where(data.w["r2"] > 0, data.w["r2"], 1)
    info = {n: _pointwise(p, prior) for n, p in tables.items()}
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
    # What the gap and the pooled laws leave is spread evenly.
    return {
        name: x + (values[name] - data.w["r1"] @ x) for name, x in out.items()
    }


def _calibration_of(
    data: _Input, prior: np.ndarray, soft: dict[str, float]
) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Soft and hard informations, and doubts where they differ."""
    hard, doubts = {}, []
    log_prior = np.log2(np.where(prior > 0, prior, 1))
    for name, y in data.labels.items():
        r, w = data.r[name], data.w[name]
        logs = np.log2(np.maximum(r, np.finfo(np.float64).tiny))
        gain = logs[np.arange(len(r)), y] - log_prior[y]
        claim = np.sum(r * (logs - log_prior), axis=1)
        hard[name] = float(w @ gain)
        difference = claim - gain
        off = float(w @ difference)
        error = math.sqrt(float(w**2 @ (difference - off) ** 2))
        if abs(off) > max(_MISCALIBRATED, _SIGNIFICANT * error):
            kind = "over" if off > 0 else "under"
            doubts.append(
                f"{name} is {kind}confident: it claims {soft[name]:.2f} bits "
                f"and keeps {hard[name]:.2f}; calibrate it on held-out samples "
                "(calibration='temperature' or 'vector')"
            )
    return soft, hard, doubts


def _other_doubts(
    data: _Input,
    prior: np.ndarray,
    values: dict[str, float],
    deviation: dict[str, float],
    between: dict[str, float],
    gap: float,
) -> list[str]:
    doubts = []
    number = 2 ** _entropy(prior)
    for name in ("r1", "r2"):
        size = 1 / float(np.sum(data.w[name] ** 2))
        if size < _PER_CLASS * number:
            doubts.append(
                f"{name} has {size:.0f} (effective) samples for {number:.0f} "
                f"classes; at least {math.ceil(_PER_CLASS * number)} are needed"
            )
    if gap > _COARSE:
        doubts.append(
            f"the solver stopped {gap:.2f} bits from the minimum; fewer atoms "
            "(max_atoms) are easier"
        )
    if between and between["redundancy"] > _COARSE:
        doubts.append(
            f"subsamples differ: standard error {between['redundancy']:.2f} "
            "bits; raise max_atoms"
        )
    if "synergy" in values:
        low = values["synergy"] + 2 * deviation["synergy"] + gap
        if low < 0:
            doubts.append(
                f"the synergy is negative ({values['synergy']:.2f}): r12 knows "
                "less than the modalities must know together; it needs a "
                "better joint classifier, or r1 and r2 are overconfident"
            )
    return doubts
