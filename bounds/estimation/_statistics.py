"""Everything that is estimated, as functions of stacks of tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bounds.decomposition import pid, pid_from_marginals
from bounds.estimation import estimators
from bounds.estimation.evidence import DECOMPOSITION
from bounds.synergy import synergy_interval

# Certified error in bits that the solver may leave in one replicate.
TOLERANCE = 1e-6


def of_tables(memory_limit: int, tables: np.ndarray) -> dict[str, np.ndarray]:
    """Returns all statistics of tables `[batch, x1, x2, y]`."""
    solved = pid(
        tables, normalize=True, tol=TOLERANCE, memory_limit=memory_limit
    )
    return _with_informations(solved) | {
        "synergy": solved.synergy,
        "total": solved.total,
        "accuracy": _best_accuracy(_flat(tables)),
        "accuracy1": _best_accuracy(tables.sum(-2)),
        "accuracy2": _best_accuracy(tables.sum(-3)),
    }


def of_marginals(
    memory_limit: int, tables: np.ndarray
) -> dict[str, np.ndarray]:
    """`of_tables` but for what the pairs say, which is not solved for."""
    return of_pairs(memory_limit, tables.sum(-2), tables.sum(-3), True)


def of_pairs(
    memory_limit: int,
    p1y: np.ndarray,
    p2y: np.ndarray,
    normalize: bool = False,
) -> dict[str, np.ndarray]:
    """Returns what labels of single modalities tell, of a stack of tables."""
    return decomposed(memory_limit, p1y, p2y, normalize=normalize) | {
        "accuracy1": _best_accuracy(p1y),
        "accuracy2": _best_accuracy(p2y),
    }


def informations(tables: np.ndarray) -> dict[str, np.ndarray]:
    """What needs no solver, of each modality."""
    return informations_of_pairs(tables.sum(-2), tables.sum(-3))


def informations_of_pairs(
    p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    """`informations`, from tables of each modality and the label."""
    return {
        "information1": estimators.plug_in(p1y),
        "information2": estimators.plug_in(p2y),
        "accuracy1": _best_accuracy(p1y),
        "accuracy2": _best_accuracy(p2y),
    }


def closed_forms(counts: np.ndarray) -> dict[str, float]:
    """What needs no solver, of one table."""
    tables = counts[None]
    return first_row(
        informations(tables)
        | {
            "total": estimators.plug_in(_flat(tables)),
            "accuracy": _best_accuracy(_flat(tables)),
        }
    )


def first_row(statistics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Returns the values of the first table of a stack."""
    return {name: float(x[0]) for name, x in statistics.items()}


def _flat(tables: np.ndarray) -> np.ndarray:
    """Tables of ((x1, x2), y)."""
    return tables.reshape(len(tables), -1, tables.shape[-1])


def _best_accuracy(tables: np.ndarray) -> np.ndarray:
    """Accuracy of the best classifier of x, from counts `[..., x, y]`."""
    return tables.max(-1).sum(-1) / tables.sum((-2, -1))


def decomposed(
    memory_limit: int, p1y: np.ndarray, p2y: np.ndarray, *, normalize: bool
) -> dict[str, np.ndarray]:
    """Returns the decomposition and the informations, without the synergy."""
    return _with_informations(
        pid_from_marginals(
            p1y,
            p2y,
            normalize=normalize,
            tol=TOLERANCE,
            memory_limit=memory_limit,
        )
    )


def _with_informations(solved: Any) -> dict[str, np.ndarray]:
    return {
        "information1": solved.information1,
        "information2": solved.information2,
        **{name: getattr(solved, name) for name in DECOMPOSITION},
        "gap": solved.gap,
    }


def of_intervals(
    effort: str, p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    """Bounds of the synergy and of the total information, without labels."""
    # Those of one table agree, and nothing is moved.
    interval = synergy_interval(p12, p1y, p2y, effort=effort, project=True)
    return {
        "lower": interval.lower,
        "upper": interval.upper,
        "least": interval.t_min + interval.lower,
        "most": interval.t_min + interval.upper,
    }


def x_log2_x(p: np.ndarray) -> np.ndarray:
    """Returns p log2 p, 0 where p is."""
    return p * np.log2(np.where(p > 0, p, 1))


def entropy(p: np.ndarray) -> np.ndarray:
    """Returns the entropy in bits over the last axis."""
    return -x_log2_x(p).sum(-1)
