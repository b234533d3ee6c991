"""Several processes that run one command together, under `jax.distributed`.

Each trains on its own part of every batch. What is decided or written, process
0 decides and writes alone, and tells the others: only its machine needs the
workdir, while all of them need the data. A process without others leads, and
everything here is the identity. `arm_jax.launch` starts them.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_jax import watch
from arm_jax.errors import InputError, shortened

_log = logging.getLogger(__name__)

# Bytes of arrays that are sent at a time, at least and at most.
_LEAST_BYTES, _MOST_BYTES = 2**12, 2**24
# Differences that a message lists.
_MOST_DIFFERENCES = 3


class _Group:
    """Whom this process works with; one for all of it, as JAX has it."""

    index = 0
    count = 1
    watching: watch.Watch | None = None
    # What all of them know to be wrong.
    common = ""


def form(index: int, count: int, watching: watch.Watch | None = None) -> None:
    """Makes this process one of several, which JAX has connected."""
    _Group.index, _Group.count, _Group.watching = index, count, watching


def leads() -> bool:
    """Whether this process decides and writes: process 0, or one alone."""
    return _Group.index == 0


def finish() -> None:
    """Takes leave of the others."""
    if _Group.watching is not None:
        _Group.watching.close()


def leave() -> None:
    """Tells the others that this process ends, if it has not told them yet."""
    fail("its program ended before theirs")


def fail(reason: str) -> None:
    """Tells the others why this process ends before its work does."""
    if reason == _Group.common:
        # They end for the same reason, each by itself.
        finish()
    elif _Group.watching is not None:
        _Group.watching.fail(reason)


def alone() -> bool:
    """Whether there are no other processes."""
    return _Group.count == 1


def count() -> int:
    """Number of processes."""
    return _Group.count


def index() -> int:
    """Number of this process."""
    return _Group.index


def defect(error: BaseException) -> None:
    """Tells the others of an error that nothing explains.

    A collective that fails may be the first that is seen of a process that is
    gone. If one is, this does not return: the watch ends this one.
    """
    if _Group.watching is None:
        return
    if isinstance(error, RuntimeError | ValueError):
        time.sleep(watch.PATIENCE + 2 * watch.BEAT)
    fail(f"{type(error).__name__}, a defect; see what it printed")


def gather(value: Any) -> list[Any]:
    """Returns the JSON values of all processes, in their order."""
    if alone():
        return [value]
    content = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = stack(np.asarray([len(content)], np.int32))[:, 0]
    padded = np.zeros(_room(int(sizes.max())), np.uint8)
    padded[: len(content)] = content
    return [
        json.loads(row[:size].tobytes())
        for row, size in zip(stack(padded), sizes, strict=True)
    ]


def tell(value: Any) -> Any:
    """Returns the JSON value of process 0."""
    return gather(value if leads() else None)[0]


def anyone(flag: bool) -> bool:
    """Whether any process says so; all get the same answer."""
    return flag if alone() else bool(stack(np.asarray([flag])).any())


def stack(tree: Any) -> Any:
    """Returns the NumPy arrays of all processes, `[processes, ...]`.

    They have the same shape everywhere.
    """
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree)


def share(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Returns the arrays of process 0, bit by bit.

    Args:
      arrays: In the other processes, any of the same shapes and types.
    """
    if alone():
        return arrays
    from jax.experimental import multihost_utils

    whole = np.concatenate([_bytes(x) for x in arrays])
    for at in range(0, len(whole), _MOST_BYTES):
        part = whole[at : at + _MOST_BYTES]
        padded = np.zeros(_room(len(part)), np.uint8)
        padded[: len(part)] = part
        sent = multihost_utils.broadcast_one_to_all(padded)
        part[:] = sent[: len(part)]
    ends = np.cumsum([x.nbytes for x in arrays])[:-1]
    return [
        part.view(x.dtype).reshape(x.shape)
        for part, x in zip(np.split(whole, ends), arrays, strict=True)
    ]


def agree(what: Mapping[str, Any]) -> None:
    """Checks that all processes have the same.

    Args:
      what: Values by name, of JSON types; nested names are joined by dots.

    Raises:
      InputError: Some differ; the message, the same everywhere, names which
        process is the odd one, and in what.
    """
    everyone = gather(_flat(what))
    common = {}
    for name in dict.fromkeys(name for each in everyone for name in each):
        values = [json.dumps(each.get(name)) for each in everyone]
        # The commonest; that of the first process among equally common ones.
        common[name] = Counter(values).most_common(1)[0][0]
    for number, each in enumerate(everyone):
        odd = [
            f"{name} {shortened(json.dumps(each.get(name)))} "
            f"(elsewhere {shortened(value)})"
            for name, value in common.items()
            if json.dumps(each.get(name)) != value
        ]
        if odd:
            more = len(odd) - _MOST_DIFFERENCES
            shown = ", ".join(odd[:_MOST_DIFFERENCES])
            shown += f" and {more} more" if more > 0 else ""
            _Group.common = (
                f"{_name(number)} has {shown}: all processes need the same "
                "command, sources, packages and data"
            )
            raise InputError(_Group.common)


def _name(index: int) -> str:
    return (
        _Group.watching.names[index] if _Group.watching else f"process {index}"
    )


def _flat(what: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in what.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _bytes(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(np.ascontiguousarray(x).tobytes(), np.uint8).copy()


def _room(size: int) -> int:
    """A power of two of bytes, so that there are few programs."""
    return max(_LEAST_BYTES, 1 << (size - 1).bit_length())
