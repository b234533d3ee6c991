"""Entry points of the libraries that get what nobody would give them.

Right is a result, checked where the answer is known, or one sentence for the
user: an `InputError`. Some inputs are known to be right or wrong: then so must
the outcome be.
"""

import copy
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bounds
from arm_jax import methods
from arm_jax.config import Config, from_mapping
from arm_jax.errors import InputError
from arm_jax.studies.comparison import ComparisonConfig
from arm_jax.studies.coverage import CoverageConfig
from arm_jax.studies.quantify import QuantifyConfig
from arm_jax.studies.synergy import SynergyConfig
from arm_jax.studies.torture import work
from arm_jax.studies.torture.trials import Outcome
from bounds.estimation import samples

# Inputs of one trial, and seconds that one may take.
INPUTS = 200
_HANGS = 60
_SHAPES = ((2, 2, 2), (2, 3, 2), (1, 2, 3))
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**70, 0.5, -0.0, float("nan"), float("inf"), "",
    "x" * 300, "\u97f3\x00", b"\xff", (), [[1], [2, 3]], {}, {"a": None},
    np.zeros(0), np.ones((2, 2)), np.array("a"), np.array([1, "a"], object),
    1j, print,
)  # fmt: skip
_TOLERANCE = 1e-6
# What is known of an input.
RIGHT, WRONG, EITHER = "right", "wrong", "either"
Rng = np.random.Generator


class Given(NamedTuple):
    """An input: what is known of it, and what is done with it.

    Attributes:
      known: `RIGHT`, `WRONG` or `EITHER`.
      call: Takes it to its entry point; returns what is wrong with the result.
      what: The input, for a line of failures.
    """

    known: str
    call: Callable[[], str]
    what: Any


Kind = Callable[[Path, Rng], Given]


def check(
    kinds: tuple[Kind, ...], folder: Path, number: int, rng: Rng
) -> Outcome:
    """Gives odd inputs to entry points, in turns."""
    own = folder / f"{number}_odd"
    own.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, _give_up)
    wrong = []
    counts = {"results": 0, "sentences": 0}
    for at in range(INPUTS):
        given = kinds[at % len(kinds)](own, rng)
        name = kinds[at % len(kinds)].__name__.strip("_")
        found, refused = _outcome(given)
        counts["sentences" if refused else "results"] += 1
        if found:
            wrong.append(f"{name} {number}.{at}: {found}: {given.what!r:.300}")
    return Outcome(INPUTS, wrong, counts)


def _give_up(*_: Any) -> None:
    raise TimeoutError(f"it took more than {_HANGS} s")


def _outcome(given: Given) -> tuple[str, bool]:
    """Returns what is wrong, if anything is, and whether it was refused."""
    signal.alarm(_HANGS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = given.call()
    except InputError as error:
        if given.known == RIGHT:
            return f"refused: {error}", True
        return ("" if str(error).strip() else "no sentence"), True
    # Whatever it is, it is what is looked for.
    except Exception:  # noqa: BLE001
        return traceback.format_exc(limit=-3).replace("\n", " | "), False
    finally:
        signal.alarm(0)
    if not found and given.known == WRONG:
        found = "accepted"
    return found, False


def of(rng: Rng, choices: Any) -> Any:
    """Returns one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def _distribution(rng: Rng, shape: tuple[int, ...]) -> tuple[Any, str]:
    """An array of a distribution, mostly with something wrong; and what is."""
    x: Any = rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).reshape(shape)
    kind = int(rng.integers(9))
    if kind == 0:
        at = int(rng.integers(x.size))
        x.flat[at] = of(rng, (np.nan, np.inf, -np.inf, -0.1, 2))
        return x, WRONG
    if kind == 1:
        return x.astype(of(rng, (np.float16, np.float32, int, object))), EITHER
    if kind == 2:
        return of(rng, ODD), WRONG
    if kind == 3:
        return x.reshape(*shape[:-2], -1), WRONG
    if kind == 4:
        return (x > 0.2).tolist(), EITHER
    if kind == 5:
        return x * of(rng, (0, 1e-300, 1e300, 1 + 1e-4, 1 - 1e-4)), WRONG
    if kind == 6:
        return of(
            rng,
            (
                x.tolist(),
                x * (1 + 1e-9),
                x[None],
                np.asarray(x, order="F"),
                x.astype(">f8"),
                x.astype(np.longdouble),
            ),
        ), RIGHT
    if kind == 7:
        masked = np.ma.masked_array(x, np.arange(x.size).reshape(shape) == 1)
        return of(rng, (masked, x + 0j, x.astype(str), x[..., :0])), WRONG
    return x, RIGHT


def _table(_: Path, rng: Rng) -> Given:
    p, known = _distribution(rng, of(rng, _SHAPES))

    def call() -> str:
        found = bounds.pid(p)
        whole = found.redundancy + found.unique1 + found.unique2 + found.synergy
        array = np.asarray(p, float)
        joint = array.reshape(*array.shape[:-3], -1, array.shape[-1])
        information = bounds.information.mutual_information(joint)
        if np.allclose(whole, information, atol=_TOLERANCE):
            return ""
        return f"the atoms are {whole}, not {information}, together"

    return Given(known, call, p)


def _marginals(_: Path, rng: Rng) -> Given:
    shape = of(rng, _SHAPES)
    p1y, known = _distribution(rng, (shape[0], shape[2]))
    if rng.random() < 0.5:
        p2y = p1y
    else:
        p2y = rng.dirichlet(np.ones(shape[1] * shape[2])).reshape(-1, shape[2])
        # With probability 1 it says something else of the label.
        known = WRONG if shape[2] > 1 else EITHER

    def call() -> str:
        found = bounds.pid_from_marginals(p1y, p2y)
        atoms = (found.redundancy, found.unique1, found.unique2)
        if not all(np.all(np.asarray(x) > -_TOLERANCE) for x in atoms):
            return f"the atoms are {atoms}"
        return ""

    return Given(known, call, (p1y, p2y))


def _interval(_: Path, rng: Rng) -> Given:
    shape = (2, 2, 2)
    p = rng.dirichlet(np.full(8, 0.5)).reshape(shape)
    marginals: list[Any] = [p.sum(2), p.sum(1), p.sum(0)]
    known = RIGHT
    if rng.random() < 0.7:
        at = int(rng.integers(3))
        marginals[at], known = _distribution(rng, (2, 2))
        known = WRONG if known == WRONG else EITHER
    p12, second, first = marginals

    def call() -> str:
        found = bounds.synergy_interval(p12, second, first, effort="bounds")
        if known != RIGHT:
            return ""
        true = bounds.pid(p)
        below = found.lower - true.gap <= true.synergy
        if below and true.synergy <= found.upper + true.gap:
            return ""
        return f"{true.synergy} is not in {found.lower}..{found.upper}"

    return Given(known, call, marginals)


def _samples(_: Path, rng: Rng) -> Given:
    shape: Any = of(rng, ((2, 2, 2), (3, 2), (4, 1, 2)))
    symbols: list[Any] = [rng.integers(size, size=30) for size in shape]
    known, kind = RIGHT, int(rng.integers(6))
    at = int(rng.integers(len(shape)))
    if kind == 0:
        symbols[at] = of(rng, ODD)
        known = WRONG
    elif kind == 1:
        symbols[at][3] = of(rng, (-1, shape[at], 2**40))
        known = WRONG
    elif kind == 2:
        symbols[at] = symbols[at].astype(of(rng, (float, complex, str, object)))
        known = EITHER
    elif kind == 3:
        shape = of(rng, (of(rng, ODD), (2,), (0, 2, 2), (2**20,) * 3))
        known = WRONG
    elif kind == 4:
        symbols[at] = symbols[at][:-1]
        known = WRONG

    def call() -> str:
        found = samples.count(symbols, shape)
        expected = np.zeros(shape)
        np.add.at(expected, tuple(np.asarray(s, int) for s in symbols), 1)
        same = np.array_equal(found.counts, expected)
        return "" if same else f"counted {found.counts}"

    return Given(known, call, (symbols, shape))


def _posteriors(_: Path, rng: Rng) -> Given:
    rows = [rng.dirichlet(np.ones(2), size=12) for _ in range(2)]
    given: dict[str, Any] = {"r1": rows[0], "r2": rows[1], "replicates": 2}
    options = (
        "prior", "labels", "weights1", "groups", "seed", "calibration",
        "confidence", "max_atoms",
    )  # fmt: skip
    known, kind = EITHER, int(rng.integers(5))
    name = of(rng, ("r1", "r2"))
    if kind == 0:
        given[name] = of(rng, ODD)
        known = WRONG
    elif kind == 1:
        given[name][5, 1] = of(rng, (np.nan, np.inf, -1, 3))
        known = WRONG
    elif kind == 2:
        given[of(rng, options)] = of(rng, ODD)
    elif kind == 3:
        given[name] = given[name][:5]
        known = WRONG

    def call() -> str:
        return _not_finite(bounds.pid_of_posteriors(**given))

    return Given(known, call, given)


def _not_finite(found: bounds.PosteriorPID) -> str:
    values = (found.redundancy, found.unique1, found.unique2, found.gap)
    return "" if np.isfinite(values).all() else f"the atoms are {values}"


class _Shares:
    """A classifier that is fitted at once: the shares of the classes."""

    def fit(self, x: Any, labels: Any) -> None:
        del x
        self.shares = np.bincount(labels) / len(labels)

    def predict_proba(self, x: Any) -> Any:
        return np.tile(self.shares, (len(x), 1))


def _features(_: Path, rng: Rng) -> Given:
    given: dict[str, Any] = {
        "x1": rng.normal(size=(20, 2)),
        "x2": rng.normal(size=(20, 3)),
        "labels": np.arange(20) % 2,
        "own": {name: _Shares() for name in ("first", "second", "joint")},
        "replicates": 2,
    }
    options = (
        "own", "weights", "groups", "names", "margin", "calibration",
        "folds", "strength", "components", "seed",
    )  # fmt: skip
    known, kind = RIGHT, int(rng.integers(4))
    if kind == 0:
        given[of(rng, ("x1", "x2", "labels"))] = of(rng, ODD)
        known = WRONG
    elif kind == 1:
        given["x1"][3, 1] = of(rng, (np.nan, np.inf))
        known = WRONG
    elif kind == 2:
        given[of(rng, options)] = of(rng, ODD)
        known = EITHER

    def call() -> str:
        return _not_finite(bounds.pid_of_features(**given).pid)

    return Given(known, call, given)


def _config(_: Path, rng: Rng) -> Given:
    training = work.training(Path("nowhere.npz"), 1)
    source, base = training["data"], dict(training)
    del base["method"]
    kinds: tuple[tuple[type, dict[str, Any]], ...] = (
        (Config, training),
        (
            ComparisonConfig,
            {
                "training": base,
                "runs": {"a": training["method"]},
                "groups": (("Methods", ("a",)),),
            },
        ),
        (
            QuantifyConfig,
            {
                "data": {"name": "npz", "options": source["options"]},
                "symbols": {"number": 2, "kind": "kmeans"},
                "resampling": {"replicates": 20},
            },
        ),
        (SynergyConfig, {"kind": "logic", "noise": (0.1,), "tables": 5}),
        (CoverageConfig, {}),
    )
    config, right = of(rng, kinds)
    odd = copy.deepcopy(right)
    known = RIGHT
    if rng.random() < 0.9:
        block, known = odd, EITHER
        is_open = False
        while True:
            key = of(rng, [*sorted(block), "unknown"])
            value = block.get(key)
            if not isinstance(value, dict) or rng.random() < 0.3:
                break
            # Whom they are for checks those.
            is_open = is_open or key in ("options", "training", "runs")
            block = value
        block[key] = of(rng, ODD)
        known = WRONG if key == "unknown" and not is_open else EITHER

    def call() -> str:
        from_mapping(config, odd)
        return ""

    return Given(known, call, odd)


def _method(_: Path, rng: Rng) -> Given:
    names = methods.names()
    name = of(rng, [*names, "", "a.b", "\u97f3", ".", "os.path", "../arm"])
    options = {of(rng, ("warmup", "every", "weights", "")): of(rng, ODD)}
    if rng.random() < 0.2:
        options = {}
    known = WRONG if name not in names or "" in options else EITHER
    if known == EITHER and not options:
        known = RIGHT

    def call() -> str:
        methods.create(name, options)
        return ""

    return Given(known, call, (name, options))


def _read(_: Path, rng: Rng) -> Given:
    """What has finished is read with a name of a split that there is not."""
    given = of(rng, ODD)
    path = of(rng, ("nowhere", "", "\x00", "~nobody/x", "/proc/self/mem"))

    def call() -> str:
        from arm_jax.studies.finished import evaluate

        evaluate(path, given if isinstance(given, str) else "test")
        return ""

    return Given(WRONG, call, (path, given))


KINDS: tuple[Kind, ...] = (
    _table, _marginals, _config, _method, _samples, _table, _marginals,
    _interval, _config, _samples, _method, _config, _samples, _table,
    _posteriors, _config, _marginals, _features, _method, _read,
)  # fmt: skip
