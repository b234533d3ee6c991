"""How decompositions of posteriors change with their samples, by bootstrap."""

from collections.abc import Iterator

import numpy as np

from bounds.estimation._posterior_input import Input, information, table
from bounds.estimation._posterior_solve import Solution
from bounds.estimation._statistics import entropy


def with_sums(values: dict[str, float]) -> dict[str, float]:
    """Adds the informations, given the other modality or not."""
    sums = {
        f"information{i}": values["redundancy"] + values[f"unique{i}"]
        for i in (1, 2)
    }
    if "synergy" in values:
        sums |= {
            f"conditional{i}": values[f"unique{i}"] + values["synergy"]
            for i in (1, 2)
        }
    return values | sums


def changes(
    data: Input,
    solution: Solution,
    replicates: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Changes of the quantities with the units drawn anew, `[replicates]`.

    The multiplicities are weights of the atoms. The multipliers of the full
    solution are feasible for any weights, so they bound every replicate's
    minimum from below, and it differs from the bound in second order only. Over
    all replicates every unit is drawn equally often (Davison, Hinkley and
    Schechtman, Biometrika 1986), so that the mean of the changes is of second
    order, too.
    """

    def statistics(w: dict[str, np.ndarray]) -> dict[str, float]:
        w = {name: x / x.sum() for name, x in w.items()}
        means = {name: w[name] @ data.r[name] for name in w}
        prior = data.prior
        if prior is None:
            prior = (means["r1"] + means["r2"]) / 2
        # Of rare classes a modality may have drawn no sample.
        prior = np.where(np.all([x > 0 for x in means.values()], 0), prior, 0)
        prior = prior / prior.sum()
        tables = {name: table(data.r[name], w[name], prior) for name in w}
        info = {name: information(p, prior) for name, p in tables.items()}
        minimum = np.sum(tables["r1"] * solution.lam)
        minimum += np.sum(tables["r2"] * solution.mu)
        minimum += entropy(prior)
        out = {
            "redundancy": info["r1"] + info["r2"] - minimum,
            "unique1": minimum - info["r2"],
            "unique2": minimum - info["r1"],
        }
        if "r12" in info:
            out["synergy"] = info["r12"] - minimum
            out["total"] = info["r12"]
        return {name: float(x) for name, x in with_sums(out).items()}

    centre = statistics(data.w)
    draws: dict[str, list[float]] = {name: [] for name in centre}
    for often in _multiplicities(data, replicates, rng):
        drawn = {name: data.w[name] * often[name] for name in data.r}
        for name, value in statistics(drawn).items():
            draws[name].append(value - centre[name])
    return {name: np.array(x) for name, x in draws.items()}


def _multiplicities(
    data: Input, replicates: int, rng: np.random.Generator
) -> Iterator[dict[str, np.ndarray]]:
    """Yields how often each row is drawn, by name."""
    if data.paired:
        rows = np.unique(data.units, return_inverse=True)[1]
        weights = list(data.w.values())
        for counts in _balanced(rows, weights, replicates, rng):
            yield dict.fromkeys(data.r, counts)
        return
    each = []
    for name, w in data.w.items():
        rows = np.unique(data.units_of(name), return_inverse=True)[1]
        each.append(_balanced(rows, [w], replicates, rng))
    for counts in zip(*each, strict=True):
        yield dict(zip(data.r, counts, strict=True))


def _balanced(
    units: np.ndarray,
    weights: list[np.ndarray],
    replicates: int,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    number = int(units.max()) + 1
    order = np.tile(np.arange(number, dtype=np.int32), replicates)
    rng.shuffle(order)
    for drawn in order.reshape(replicates, number):
        often = np.bincount(drawn, minlength=number)[units]
        # Where few samples have a weight, none of them may be drawn.
        while not all((w * often).any() for w in weights):
            often = rng.multinomial(number, np.full(number, 1 / number))[units]
        yield often


def losses(
    spread: dict[str, np.ndarray], share: float
) -> tuple[dict[str, float], float]:
    """What informations lose to p(y), which is of the same samples.

    The samples' own mean is nearer to their posteriors than the true p(y) is,
    so the informations about it are too small, by (K-1)/(2n) nats where labels
    are certain. To second order those of replicates are smaller again by as
    much.

    Args:
      spread: What `changes` returns.
      share: Part of all samples that these are.

    Returns:
      By how much the informations of "r1", "r2" and, where it is there, "r12"
      are too small; and the excess of the minimum over the mean of the first
      two.
    """
    # Multiplicities of B balanced replicates have a variance of 1 - 1 / B.
    number = len(spread["redundancy"])
    factor = share * number / (number - 1)
    lost = {name: -factor * float(x.mean()) for name, x in spread.items()}
    one, two = lost["information1"], lost["information2"]
    out = {"r1": one, "r2": two}
    if "total" in lost:
        out["r12"] = lost["total"]
    minimum = lost["redundancy"] + lost["unique1"] + lost["unique2"]
    return out, minimum - (one + two) / 2
