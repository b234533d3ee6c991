"""What people hand over in place of a table or a number."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

import bounds
from bounds import InputError, coupling, information
from bounds import synergy_lower as lower
from bounds import synergy_upper as upper

HALF = np.full((2, 2), 0.25)
TABLE = np.full((2, 2, 2), 0.125)
THREE = (HALF, HALF, HALF)
HOLE = np.ma.masked_array(HALF, [[False, True], [False, False]])
WORDS = np.array([["a", "b"], ["c", "d"]])

# Every public function of tables, of what it takes for one of them.
TAKES_A_TABLE = {
    "pid": lambda p: bounds.pid(p[None]),
    "pid_from_marginals": lambda p: bounds.pid_from_marginals(HALF, p),
    "maxent": lambda p: bounds.maxent(HALF, p, HALF),
    "consistent": lambda p: bounds.marginals.consistent(p, HALF, HALF),
    "synergy_interval": lambda p: bounds.synergy_interval(HALF, HALF, p),
    "accuracy_interval": lambda p: bounds.accuracy_interval(0.0, p),
    "greedy": lambda p: coupling.greedy(p[0], HALF[0] * 2),
    "coupling.majorization": lambda p: coupling.majorization([1], p),
    "entropy": information.entropy,
    "conditional_entropy": information.conditional_entropy,
    "mutual_information": information.mutual_information,
    "from_predictions": lambda p: lower.from_predictions(p, HALF * 2, 0, 0),
    "stack_tables": lambda p: bounds.stack_tables([TABLE, p[None]]),
    **{
        name: functools.partial(getattr(lower, name), HALF, HALF)
        for name in (
            "redundancy", "disagreement", "bhattacharyya", "chernoff",
            "paper_disagreement",
        )
    },
    **{
        name: functools.partial(getattr(upper, name), HALF, HALF)
        for name in (
            "majorization", "released", "conditional", "chord", "envelope",
            "exact",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TAKES_A_TABLE)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (HALF * np.array([1, np.nan]), "nan"),
        (HALF + 0j, "complex"),
        (WORDS, "strings"),
        (WORDS.astype(object), "objects"),
        (HOLE, "masked"),
    ],
)
def test_tables_that_are_none(name, table, message):
    with pytest.raises(InputError, match=message):
        TAKES_A_TABLE[name](table)


def test_sparse_missing_and_ragged_tables():
    sparse = scipy.sparse.csr_matrix(HALF)
    with pytest.raises(InputError, match=r"sparse matrix.*p1y.toarray\(\)"):
        bounds.maxent(HALF, sparse, HALF)
    with pytest.raises(InputError, match="p must be numbers"):
        bounds.pid(None)
    with pytest.raises(InputError, match="cannot be read as an array"):
        bounds.pid([[[0.5], [0.5, 0.0]]])


def test_data_frames_are_tables():
    pandas = pytest.importorskip("pandas")
    counts = pandas.crosstab([0, 0, 1, 1], [0, 1, 1, 1])
    out = bounds.pid_from_marginals(counts, counts, normalize=True)
    same = np.array([[1, 1], [0, 2]]) / 4
    want = information.mutual_information(same)
    assert out.redundancy == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(
    "dtype",
    [ml_dtypes.bfloat16, np.float16, np.float32, np.longdouble, np.int8,
     np.uint64, bool, ml_dtypes.int4],
)  # fmt: skip
def test_dtypes(dtype):
    table = np.array([[1, 0], [0, 1]]).astype(dtype)
    out = bounds.marginals.consistent(*[table] * 3, normalize=True)
    np.testing.assert_array_equal(out.p12[0], np.eye(2) / 2)
    assert information.entropy(table[0]) == 0


@pytest.mark.parametrize(
    "count",
    [
        2**62,
        np.uint64(2**63),
        1e308,
        1e-320,
        np.ldexp(np.longdouble(1), np.finfo(np.longdouble).maxexp - 1),
    ],
)
def test_counts_of_any_size(count):
    counts = count * np.eye(2, dtype=np.asarray(count).dtype)
    out = bounds.marginals.consistent(*[counts] * 3, normalize=True)
    np.testing.assert_array_equal(out.p1y[0], np.eye(2) / 2)


def test_the_cure_is_one_that_the_function_has():
    for call in (bounds.pid, functools.partial(bounds.pid, dtype=np.float32)):
        with pytest.raises(InputError, match="normalize=True accepts counts"):
            call(8 * TABLE)
    for call in (bounds.maxent, bounds.synergy_interval, upper.chord):
        with pytest.raises(InputError, match="p1y sums to 4; .*divide it by"):
            call(HALF, 4 * HALF, HALF)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: bounds.pid(TABLE, tol=x), "tol must be a positive number"),
        (lambda x: bounds.pid(TABLE, memory_limit=x), "memory_limit must be"),
        (lambda x: bounds.pid(TABLE, max_steps=x), "max_steps must be an int"),
        (lambda x: bounds.pid(TABLE, dtype=x), "dtype must be float32 or"),
        (lambda x: bounds.pid(TABLE, devices=x), "devices"),
        (lambda x: bounds.pid_from_marginals(HALF, HALF, tol=x), "tol must be"),
        (lambda x: bounds.maxent(*THREE, tol=x), "tol must be"),
        (lambda x: bounds.maxent(*THREE, max_steps=x), "max_steps must be"),
        (lambda x: bounds.synergy_interval(*THREE, tol=x), "tol must be"),
        (lambda x: bounds.synergy_interval(*THREE, seconds=x), "seconds must"),
        (lambda x: bounds.synergy_interval(*THREE, max_nodes=x), "max_nodes"),
        (lambda x: bounds.synergy_interval(*THREE, effort=x), "effort must"),
        (lambda x: upper.exact(*THREE, seconds=x), "seconds must be"),
        (lambda x: lower.paper_disagreement(*THREE, c=x), "c must be"),
        (lambda x: information.entropy(HALF, event_rank=x), "event_rank must"),
        (lambda x: information.mutual_information(HALF, base=x), "base must"),
        (
            lambda x: information.conditional_mutual_information(
                TABLE, given=x
            ),
            "given must be",
        ),
        (lambda x: bounds.accuracy_interval(x, [0.5, 0.5]), "information"),
        (
            lambda x: bounds.accuracy_interval(
                0, [0.5, 0.5], most_information=x
            ),
            "most_information",
        ),
        (
            lambda x: lower.from_predictions(2 * HALF, 2 * HALF, x, 0),
            "unique1",
        ),
    ],
)
@pytest.mark.parametrize(
    "value", ["much", np.nan, -1, [0.1, -0.2, 3.0], {"a": 1}, 1 + 2j]
)
def test_options_that_are_none(call, message, value):
    if value == -1 and message in ("given must be", "unique1"):
        call(value)
        return
    with pytest.raises(InputError, match=message):
        call(value)


def test_options_in_other_forms():
    options = {"tol": np.float32(1e-6), "max_steps": 1e2}
    out = bounds.pid(TABLE, memory_limit=jnp.asarray(2**30), **options)
    assert out.total == 0
    out = bounds.synergy_interval(*THREE, max_nodes=1e4, seconds=np.inf, tol=0)
    assert out.upper == pytest.approx(1, abs=1e-9)


def test_devices():
    with pytest.raises(InputError, match="must be a sequence of JAX devices"):
        bounds.pid(TABLE, devices="cpu")
    with pytest.raises(InputError, match="devices is empty"):
        bounds.pid(TABLE, devices=[])


def test_shapes_that_do_not_go_together():
    two, three = np.stack([HALF] * 2), np.stack([HALF] * 3)
    message = r"batch axes do not broadcast: p12 \(\), p1y \(2,\), p2y \(3,\)"
    with pytest.raises(InputError, match=message):
        bounds.maxent(HALF, two, three)
    with pytest.raises(InputError, match=r"p_y \(2,\), information \(3,\)"):
        bounds.accuracy_interval(np.zeros(3), two[0] * 2)
    with pytest.raises(InputError, match="with a pair at least"):
        lower.from_predictions(np.ones((0, 2)), np.ones((0, 2)), 0, 0)
    with pytest.raises(InputError, match=r"have the batch's shape \(\)"):
        lower.from_predictions(2 * HALF, 2 * HALF, np.zeros(2), 0)
    with pytest.raises(InputError, match="sequence of tables, got int"):
        bounds.stack_tables(3)
    with pytest.raises(InputError, match=r"at least 1 axis, got shape \(\)"):
        information.entropy(1.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda p: bounds.maxent(p, p, p).entropy,
        lambda p: bounds.synergy_interval(p, p, p).lower,
        lambda p: upper.chord(p, p, p),
        lambda p: coupling.greedy(p[0], p[1]).entropy,
        lambda p: bounds.accuracy_interval(0.0, p).lower,
    ],
)
def test_functions_that_need_values_say_so(function):
    with pytest.raises(InputError, match="is traced, but its values are need"):
        jax.eval_shape(function, HALF)


def test_traced_tables_that_are_none():
    with pytest.raises(InputError, match="must be real numbers, got dtype com"):
        jax.eval_shape(bounds.pid, TABLE + 0j)
    with pytest.raises(InputError, match="at least 2 axes"):
        jax.eval_shape(information.mutual_information, np.ones(3))
    with pytest.raises(InputError, match="tol is traced"):
        jax.eval_shape(lambda tol: bounds.pid(TABLE, tol=tol), 1.0)
    counts = jax.eval_shape(information.entropy, np.array([1, 0]))
    assert counts.dtype == jnp.float32


def test_nothing_prints_as_minus_zero():
    sure = np.array([[1.0, 0], [0, 0]])
    independent = np.outer([0.3, 0.7], [0.1, 0.6, 0.3])
    for value in (
        information.entropy([1.0, 0]),
        information.conditional_entropy(sure),
        information.mutual_information(independent),
        information.conditional_mutual_information(independent[..., None]),
        *jax.tree.leaves(bounds.pid(independent[..., None])._asdict()),
        *jax.tree.leaves(bounds.pid(independent[:, None])._asdict()),
    ):
        assert not np.signbit(value).any()
