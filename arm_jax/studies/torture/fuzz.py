"""Entry points that get what nobody would give them.

Right is a result, checked where the answer is known, or one sentence for the
user: an `InputError`.
"""

import copy
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import bounds
from arm_jax import data, methods
from arm_jax.config import Config, from_mapping
from arm_jax.errors import InputError

_SHAPES = ((2, 2, 2), (2, 3, 2), (1, 2, 3))
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**70, 0.5, -0.0, float("nan"), float("inf"), "",
    "x" * 300, "\u97f3\x00", b"\xff", (), [[1], [2, 3]], {}, {"a": None},
    np.zeros(0), np.ones((2, 2)), np.array("a"), np.array([1, "a"], object),
    1j, print,
)  # fmt: skip
_TOLERANCE = 1e-6


def inputs(
    config: Mapping[str, Any],
    folder: Path,
    count: int,
    rng: np.random.Generator,
) -> list[str]:
    """Gives `count` odd inputs to the entry points, in turns.

    Args:
      config: Mapping for `arm_jax.config.Config` that is right.
      folder: Where to.
      count: Number of inputs.
      rng: Draws them.

    Returns:
      What went wrong, a line each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: tuple[Callable[[], str], ...] = (
        lambda: _table(rng),
        lambda: _marginals(rng),
        lambda: _config(config, rng),
        lambda: _method(rng),
        lambda: _file(folder / "odd.npz", rng),
    )
    wrong = []
    for number in range(count):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = parts[number % len(parts)]()
        except InputError:
            continue
        # Whatever it is, it is what is looked for.
        except Exception:  # noqa: BLE001
            found = traceback.format_exc(limit=-2).replace("\n", " | ")
        if found:
            wrong.append(f"input {number}: {found}")
    return wrong


def _of(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _odd_array(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """An array of a distribution, mostly with something wrong."""
    x: Any = rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).reshape(shape)
    kind = int(rng.integers(8))
    if kind == 0:
        x.flat[int(rng.integers(x.size))] = _of(rng, (np.nan, np.inf, -0.1, 2))
    elif kind == 1:
        x = x.astype(_of(rng, (np.float16, np.float32, int, complex, object)))
    elif kind == 2:
        x = _of(rng, _ODD)
    elif kind == 3:
        x = x.reshape(shape[0], -1)
    elif kind == 4:
        x = (x > 0.2).tolist()
    elif kind == 5:
        x = x * _of(rng, (0, 1e-300, 1e300, 1 + 1e-9))
    return x


def _table(rng: np.random.Generator) -> str:
    p = _odd_array(rng, _of(rng, _SHAPES))
    found = bounds.pid(p)
    whole = found.redundancy + found.unique1 + found.unique2 + found.synergy
    array = np.asarray(p, float)
    joint = array.reshape(*array.shape[:-3], -1, array.shape[-1])
    information = bounds.information.mutual_information(joint)
    if not np.allclose(whole, information, atol=_TOLERANCE):
        return f"the atoms of {p} are {whole}, not {information}, together"
    return ""


def _marginals(rng: np.random.Generator) -> str:
    shape = _of(rng, _SHAPES)
    p1y = _odd_array(rng, (shape[0], shape[2]))
    p2y = _odd_array(rng, (shape[1], shape[2]))
    if rng.random() < 0.5:
        p2y = p1y
    found = bounds.pid_from_marginals(p1y, p2y)
    atoms = (found.redundancy, found.unique1, found.unique2)
    if not all(np.all(np.asarray(x) > -_TOLERANCE) for x in atoms):
        return f"atoms of {p1y} and {p2y} are {atoms}"
    return ""


def _config(config: Mapping[str, Any], rng: np.random.Generator) -> str:
    odd = copy.deepcopy(dict(config))
    block: Any = odd
    while True:
        key = _of(rng, [*sorted(block), "unknown"])
        value = block.get(key)
        if not isinstance(value, dict) or rng.random() < 0.3:
            break
        block = value
    block[key] = _of(rng, _ODD)
    from_mapping(Config, odd)
    return ""


def _method(rng: np.random.Generator) -> str:
    name = _of(rng, [*methods.names(), "", "a.b", "\u97f3", ".", "os.path"])
    options = {_of(rng, ("warmup", "every", "weights", "")): _of(rng, _ODD)}
    methods.create(name, options)
    return ""


def _file(file: Path, rng: np.random.Generator) -> str:
    """A file of arrays with an odd one among them, or cut, or flipped."""
    label = np.tile(np.arange(3), 20)
    arrays: dict[str, Any] = {
        "a": rng.normal(size=(60, 3)),
        "b": rng.normal(size=(60, 2)),
        "label": label,
        "split": np.repeat([0, 1, 2], 20),
    }
    kind = int(rng.integers(4))
    if kind == 0:
        value = _of(rng, [x for x in _ODD if isinstance(x, np.ndarray)])
        arrays[_of(rng, list(arrays))] = value
    elif kind == 1:
        name = _of(rng, list(arrays))
        arrays[name] = arrays[name].astype(float)
        arrays[name].flat[7] = _of(rng, (np.nan, np.inf, -5, 1e300))
    np.savez(file, **arrays)
    content = bytearray(file.read_bytes())
    if kind == 2:
        content = content[: int(rng.integers(len(content)))]
    elif kind == 3:
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)
    data.load("npz", {"path": str(file)})
    return ""
