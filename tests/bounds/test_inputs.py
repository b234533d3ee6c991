import collections
import decimal
import math

import hypothesis.extra.numpy as npst
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bounds import inputs
from bounds.errors import InputError

# pandas is no dependency: what of it is looked at, in a few lines.
Dtype = collections.namedtuple("Dtype", "name numpy_dtype")


class Series:
    ndim = 1

    def __init__(self, values, dtype=None, numpy_dtype=None):
        self.values = np.asarray(values, object)
        self.dtype = (
            Dtype(dtype, numpy_dtype) if numpy_dtype else np.dtype(dtype)
        )

    def isna(self):
        return np.array([x is None or x != x for x in self.values], bool)

    def to_numpy(self, dtype=None):
        return np.array(self.values.tolist(), dtype or self.dtype)

    def __array__(self, dtype=None, copy=None):
        # Nullable columns become objects unless a type is asked for.
        named = isinstance(self.dtype, Dtype)
        return np.array(self.values, object if named else self.dtype)


class Frame:
    ndim = 2

    def __init__(self, columns):
        self.columns = list(columns)
        self._columns = list(columns.values())

    def isna(self):
        raise AssertionError("whole frames are not looked at")

    to_numpy = isna

    def __len__(self):
        return 3

    @property
    def iloc(self):
        return self

    def __getitem__(self, key):
        assert key[0] == slice(None)
        return self._columns[key[1]]


class Tensor:
    """A tensor with a gradient, or on another device."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


def records():
    return np.zeros(2, [("a", "f4"), ("b", "i4")])


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        [True, False],
        3,
        [],
        np.arange(3, dtype=np.uint64) + 2**63,
        np.arange(3, dtype=np.float16),
        np.arange(3, dtype=np.longdouble),
        np.zeros((2, 0, 3)),
        np.ma.masked_array([1.0, 2.0], [False, False]),
        np.asmatrix([[1, 2]]),
        np.array([np.nan, 1.0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_numbers_are_taken_as_they_are(value):
    array = inputs.numbers("x", value)
    assert type(array) is np.ndarray
    assert array.dtype == np.asarray(value).dtype
    np.testing.assert_array_equal(array, np.asarray(value))


def test_arrays_are_not_copied():
    x = np.arange(6.0)
    assert np.shares_memory(inputs.numbers("x", x), x)
    assert np.shares_memory(inputs.finite("x", x), x)
    y = np.arange(6)
    assert np.shares_memory(inputs.integers("y", y), y)
    p = np.full((3, 2), 0.5)
    assert np.shares_memory(inputs.probabilities("p", p), p)
    small = x.astype(np.float32)
    assert np.shares_memory(inputs.float32("x", small), small)


@pytest.mark.parametrize("order", [">f8", ">f4", ">i4", ">u2"])
def test_bytes_of_other_machines_are_swapped(order):
    x = np.array([1, 2, 300], order)
    array = inputs.numbers("x", x)
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, [1, 2, 300])


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [
        ("bfloat16", np.float32),
        ("float8_e5m2", np.float32),
        ("float8_e4m3fn", np.float32),
        ("int4", np.int8),
        ("uint4", np.int8),
    ],
)
def test_types_of_ml_dtypes_are_widened(dtype, wide):
    kind = getattr(ml_dtypes, dtype)
    x = np.array([0, 1, 3], kind)
    array = inputs.numbers("x", x)
    assert array.dtype == wide
    np.testing.assert_array_equal(array, [0, 1, 3])
    if wide is np.int8:
        assert inputs.integers("x", x).tolist() == [0, 1, 3]
    else:
        with pytest.raises(InputError, match="must be integers"):
            inputs.integers("x", x)


def test_jax_arrays():
    assert inputs.numbers("x", jnp.ones(2, jnp.bfloat16)).dtype == np.float32
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(lambda x: inputs.numbers("x", x))(jnp.ones(2))
    with pytest.raises(InputError, match="x cannot be read as an array"):
        inputs.numbers("x", jax.random.key(0))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType None"),
        ("a.npz", "got str 'a.npz'"),
        ({"a": 1}, "got dict"),
        ((i for i in range(3)), "got generator"),
        (["a", "b"], r"strings \(<U1\); np.unique\(x, return_inverse=True\)"),
        (np.array([b"a"]), r"strings \(\|S1\)"),
        ([1, None], r"x\[1\] is None; drop the samples"),
        (np.array([1, np.float32(2)], object), r"x.astype\(np.float64\) makes"),
        (np.array([1, np.True_], object), r"x.astype\(np.float64\) makes"),
        (np.array([2**70, 1], object), r"x.astype\(np.float64\) makes"),
        (np.array([[1, "a"]], object), r"x\[0, 1\] is 'a'; np.unique"),
        (
            np.array([1, np.zeros(2)], object),
            r"x\[1\] is .*the same number of numbers",
        ),
        (np.array([decimal.Decimal(1)]), r"x\[0\] is Decimal"),
        (np.array(["2020-01-01"], "M8[D]"), r"x.min\(\)\) / np.timedelta64"),
        (np.array([3], "m8[h]"), "durations"),
        (np.array([1j]), ".real and .imag"),
        (records(), "fields a, b"),
        (np.zeros(2, "V2"), r"raw bytes \(\|V2\).*astype\(np.float32\)"),
        ([[1, 2], [3]], "cannot be read as an array: .*inhomogeneous"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), r"x\[1\] is masked"),
        (np.ma.masked, "x is masked"),
        (np.ma.masked_array(records(), True), "records"),
        (
            [np.ma.masked_array([1.0, 2.0], [True, False])],
            r"x\[0\]\[0\] is masked",
        ),
        ([[1.0, np.ma.masked]], r"x\[0\]\[1\] is masked"),
        (scipy.sparse.eye(3, format="csr"), r"x.toarray\(\)"),
        (scipy.sparse.csr_array(np.eye(2)), r"x.toarray\(\)"),
        ([scipy.sparse.eye(2)], r"x\[0\] is a sparse"),
        (Series([1, None, 3], "Int64", np.int64), r"x\[1\] is missing \(Dtyp"),
        (Series([1.0, math.nan], "f8"), r"x\[1\] is missing \(float64\)"),
        (Series(["a", "b"], "O"), r"x\[0\] is 'a'; np.unique"),
        (
            Frame(
                {"a": Series([1, 2, 3], "i8"), "b": Series([1, "c", 2], "O")}
            ),
            r"x\['b'\].*x\['b'\]\[1\] is 'c'",
        ),
        (
            Frame({"t": Series([2**60 + 1] * 3, "i8"), "u": Series([0.5] * 3)}),
            r"x\['t'\] has integers that float64.*subtract an offset",
        ),
        (Tensor(RuntimeError("Can't call numpy() on it.\nmore")), r"on it\.$"),
        (Tensor(TypeError("can't convert cuda:0")), "cuda:0"),
        (Tensor(AttributeError("no __array__")), "no __array__"),
        (Tensor(ValueError("y" * 5000)), "y" * 200 + "$"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_not_numbers_is_named(value, message):
    with pytest.raises(InputError, match=message) as caught:
        inputs.numbers("x", value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_defects_of_an_array_type_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        inputs.numbers("x", Tensor(ZeroDivisionError()))


def test_frames_are_read_by_column():
    frame = Frame(
        {
            "a": Series([1, 2, 3], "Int64", np.int64),
            "b": Series([0.5, 1, 2], "f4"),
            "c": Series([True, False, True], "boolean", np.bool_),
        }
    )
    array = inputs.numbers("x", frame)
    np.testing.assert_array_equal(array, [[1, 0.5, 1], [2, 1, 0], [3, 2, 1]])
    assert array.dtype == np.float64
    assert inputs.numbers("x", Frame({})).shape == (3, 0)
    column = inputs.integers("y", Series([2**60 + 1, 2], "Int64", np.int64))
    assert column.tolist() == [2**60 + 1, 2]


def test_not_finite_is_named():
    x = np.ones((3, 4, 2), np.float32)
    x[1, 2, 1] = np.inf
    with pytest.raises(InputError, match=r"^x\[1, 2, 1\] is inf$"):
        inputs.finite("x", x)
    # inf - inf and sums that overflow, finite or not.
    x[2, 0, 0] = -np.inf
    with pytest.raises(InputError, match=r"x\[1, 2, 1\] is inf"):
        inputs.finite("x", x)
    inputs.finite("x", np.full(4, 1.7e308))
    inputs.finite("x", np.full(4, 6e4, np.float16))
    with pytest.raises(InputError, match="^x is nan$"):
        inputs.finite("x", math.nan)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.0, 1.0], r"float64; x.astype\(int\) makes integers"),
        ([0.5, 1.0], r"fractions; np.unique\(x, return_inverse=True\)\[1\]"),
        ([1.0, math.nan], r"x\[1\] is nan; drop the samples"),
        (["a", "b"], "np.unique"),
        ([1, None], r"x\[1\] is None; drop"),
        (np.array([1, math.nan], object), r"x\[1\] is nan; drop"),
        (np.array([1, 2], object), r"x.astype\(np.int64\) makes"),
        (np.array([2**64], object), r"x.astype\(np.int64\) makes"),
        (np.array([(1, 2), 3], object), r"x\[0\] is \(1, 2\); np.unique"),
        (3, r"got shape \(\)"),
        (np.eye(3, dtype=int), r"of one-hot rows take x.argmax\(axis=1\)"),
        (np.ones((3, 1), int), r"take x\[:, 0\]"),
        (np.array([1, 2**63], np.uint64), r"x\[1\] is 9223372036854775808"),
        (np.ma.masked_array([1, 2], [True, False]), r"x\[0\] is masked"),
        (np.array(["2020"], "M8[Y]"), "dates"),
        (np.array([1], ml_dtypes.bfloat16), "got bfloat16"),
        (np.zeros((0, 3)), "must be integers"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_not_integers_is_named(value, message):
    with pytest.raises(InputError, match=message):
        inputs.integers("x", value)


@given(
    npst.arrays(
        npst.integer_dtypes() | npst.unsigned_integer_dtypes() | st.just("?"),
        npst.array_shapes(max_dims=1, min_side=0),
    )
)
def test_integers_are_exact(x):
    if x.dtype.kind == "u" and x.size and int(x.max()) >= 2**63:
        with pytest.raises(InputError, match="more than int64 holds"):
            inputs.integers("x", x)
        return
    array = inputs.integers("x", x)
    assert array.dtype == np.int64
    assert array.tolist() == [int(i) for i in x]


def test_no_integers_at_all():
    assert inputs.integers("x", []).dtype == np.int64


@pytest.mark.parametrize(
    "value",
    [
        ["b", "a", "b"],
        [2.5, -1.0, 2.5],
        np.array(["2020-02", "2020-01", "2020-02"], "M8[M]"),
        np.array(["b", "a", "b"], object),
        Series([7, 3, 7], "Int64", np.int64),
        np.array([True, False, True]),
        np.array([1, 0, 1], np.uint64) + np.uint64(2**63),
    ],
    ids=lambda v: str(v)[:20],
)
def test_codes_are_equal_where_entries_are(value):
    assert inputs.codes("units", value).tolist() == [1, 0, 1]


class NAType:
    """Neither equal nor unequal to anything, as that of pandas."""

    def __eq__(self, other):
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None

    def __repr__(self):
        return "<NA>"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, math.nan], r"units\[1\] is nan: every sample needs a value"),
        (["a", None], r"units\[1\] is None"),
        (np.array([1, NAType()], object), r"units\[1\] is <NA>"),
        (np.array(["2020", "NaT"], "M8[Y]"), r"units\[1\] is None"),
        (np.ma.masked_array([1, 2], [False, True]), r"units\[1\] is masked"),
        (Series(["a", None], "O"), r"units\[1\] is missing"),
        (np.array([1, "a"], object), "cannot be compared: '<' not"),
        ([(1, 2), (1, 3)], r"np.unique\(units, axis=0, return_inverse=True\)"),
        (3, r"must be a vector, got shape \(\)"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_gives_no_codes_is_named(value, message):
    with pytest.raises(InputError, match=message):
        inputs.codes("units", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.5, 0.5], r"got shape \(2,\); of the probabilities of class 1 make"),
        (np.zeros((0, 2)), r"got shape \(0, 2\)$"),
        (0.5, r"got shape \(\)"),
        ([[1.5, -0.5]], r"p\[0, 1\] is -0.5, .*of logits take the softmax"),
        ([[0.5, 0.5], [0.5, 0.9]], r"p\[1\] sums to 1.4, no distribution"),
        ([[0.5, math.nan]], r"p\[0, 1\] is nan"),
        ([["a", "b"]], "p must be numbers"),
        (np.ma.masked_array([[0.5, 0.5]], True), r"p\[0, 0\] is masked"),
        ([[0.5, 0.5002]], r"p\[0\] sums to 1.0002"),
        (np.array([[0.5, 0.502]], np.float16), r"p\[0\] sums to 1.00"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_no_probability_is_named(value, message):
    with pytest.raises(InputError, match=message):
        inputs.probabilities("p", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, r"p must be a vector of probabilities, got shape \(\)"),
        ([[0.5, 0.5]], r"got shape \(1, 2\)"),
        ([], r"got shape \(0,\)"),
        ([1.5, -0.5], r"p\[1\] is -0.5, a negative probability"),
        ([0.5, math.nan], r"p\[1\] is nan"),
        ([0.5, 0.5002], "p sums to 1.0002, no distribution"),
        (["a", "b"], "p must be numbers"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_no_distribution_is_named(value, message):
    with pytest.raises(InputError, match=message):
        inputs.distribution("p", value)


def test_a_distribution_is_a_row_of_probabilities(rng):
    for dtype in ("f8", "f4", "f2", ml_dtypes.bfloat16):
        p = rng.dirichlet(np.ones(7)).astype(dtype)
        np.testing.assert_allclose(
            inputs.distribution("p", p),
            inputs.probabilities("p", p[None])[0],
            rtol=1e-15,
        )


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", ml_dtypes.bfloat16])
def test_probabilities_of_any_precision(rng, dtype):
    logits = rng.normal(size=(200, 7))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    given_ = p.astype(dtype)
    found = inputs.probabilities("p", given_)
    assert found.dtype == np.float64
    if given_.dtype.itemsize < 4:
        np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
        found = found * given_.astype(float).sum(1, keepdims=True)
        np.testing.assert_allclose(found, given_.astype(float), rtol=1e-12)
    else:
        np.testing.assert_array_equal(found, given_)


SHAPES = npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)
WIDE = (
    st.just(np.dtype("f8"))
    | npst.integer_dtypes(sizes=(32, 64))
    | npst.unsigned_integer_dtypes(sizes=(32, 64))
)


@st.composite
def offset_arrays(draw):
    """Arrays whose values are near to each other and far from 0, or not."""
    x = draw(
        npst.arrays(
            np.float64,
            SHAPES,
            elements=st.floats(-1e3, 1e3) | st.floats(-1e-200, 1e300),
        )
    )
    return x + draw(st.sampled_from([0.0, 1e3, 1e5, 1.7e9, 1e17, -1e40]))


@given(offset_arrays() | WIDE.flatmap(lambda d: npst.arrays(d, SHAPES)))
@example(np.array([[1e-200], [2e-200]]))
@example(np.array([5, 3], np.uint64))
@example(np.array([[2**62], [2**62 + 1]]))
@example(np.array([2**64 - 1, 2**64 - 2], np.uint64))
@example(np.array([[-(2**63)], [2**63 - 1]]))
@settings(max_examples=150, deadline=None)
def test_float32_never_loses_more_than_it_says(x):
    finite = x.dtype.kind != "f" or np.isfinite(x).all()
    try:
        small = inputs.float32("x", x)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
    if refused or not finite:
        assert ("loses its values" in refused) == finite
        return
    assert small.dtype == np.float32
    assert small.shape == x.shape
    channels = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1) if x.size else x
    rounded = small.reshape(channels.shape)
    for at in range(channels.shape[-1] if x.size else 0):
        # Python's integers and fractions have no rounding.
        values = [int(v) if x.dtype.kind != "f" else float(v).as_integer_ratio()
                  for v in channels[:, at]]  # fmt: skip
        values = [v[0] / decimal.Decimal(v[1]) if isinstance(v, tuple)
                  else decimal.Decimal(v) for v in values]  # fmt: skip
        if len(set(values)) == 1:
            continue
        moved = max(
            abs(v - decimal.Decimal(float(r)))
            for v, r in zip(values, rounded[:, at], strict=True)
        )
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        # Decimals have 28 digits.
        slack = decimal.Decimal("1e-18") * max(map(abs, values))
        assert moved <= decimal.Decimal("0.001001") * variance.sqrt() + slack


def test_float32_keeps_what_it_carries(rng):
    x = rng.normal(size=(100, 3)) + [0, 100, -1000]
    np.testing.assert_array_equal(inputs.float32("x", x), x.astype("f4"))
    for exact in ([True, False], np.arange(9, dtype="u2"), [2**23, 2**23 + 1]):
        assert inputs.float32("x", exact).tolist() == list(exact)
    # A constant has nothing to lose.
    assert inputs.float32("x", [1.7e9 + 1] * 3).tolist() == [1.7e9] * 3
    assert inputs.float32("x", 3).shape == ()
    assert inputs.float32("x", np.zeros((3, 0))).shape == (3, 0)


@pytest.mark.parametrize(
    "column",
    [
        1.7e9 + np.arange(30.0),
        np.arange(2) * 1e-200,
        np.array([1e39, 0]),
        np.array([16_777_216, 16_777_217] * 9, np.int32),
        1_700_000_000_000_000_000 + np.arange(30) * 1000,
        # Two groups far apart, each with values of its own.
        np.r_[1 + np.arange(30.0) * 1e-9, 2 + np.arange(30.0) * 1e-9],
    ],
    ids=lambda x: f"{x.dtype} {x[0]:g}",
)
def test_float32_names_the_channel_that_it_does_not_carry(column):
    x = np.stack([np.arange(len(column)).astype(column.dtype), column], -1)
    with pytest.raises(
        InputError, match=r"^x: channel 1, .* subtract its mean"
    ):
        inputs.float32("x", x)


def test_float32_looks_at_every_row_of_a_long_channel(monkeypatch, rng):
    monkeypatch.setattr("bounds._narrowing._COMPARED", 14)
    x = rng.normal(size=(60, 2)) + 1000
    inputs.float32("x", x)
    x[-1] = [1e39, 0]
    with pytest.raises(InputError, match="channel 0, 99.* to 1e"):
        inputs.float32("x", x)
    x[:] = 1e6 + 0.001 * rng.integers(2, size=(60, 2))
    with pytest.raises(InputError, match="channel 0, 1000000 to 1000000"):
        inputs.float32("x", x)


@given(
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-(2**63), 2**64 - 1),
)
def test_difference_of_integers_is_rounded_once(a, b):
    x, y = (np.array([v], np.int64 if v < 2**63 else np.uint64) for v in (a, b))
    assert inputs.difference(x, y).tolist() == [float(a - b)]


def test_difference_of_other_numbers():
    x = np.array([100_000.25, 100_000.5], np.float32)
    assert inputs.difference(x, x[0]).tolist() == [0, 0.25]
    assert inputs.difference(np.array([3], np.uint8), 5).tolist() == [-2]
    assert inputs.difference(np.array([True]), np.array([2.5])) == [-1.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inputs.integer("n", 2.0), "n must be an integer, got 2.0"),
        (lambda: inputs.integer("n", True), "n must be an integer, got True"),
        (lambda: inputs.integer("n", None), "n must be an integer, got None"),
        (lambda: inputs.integer("n", [2]), r"n must be an integer, got \[2\]"),
        (lambda: inputs.boolean("b", 1), "b must be True or False, got 1"),
        (lambda: inputs.integer("n", -1), "n must be at least 0, got -1"),
        (lambda: inputs.integer("n", 1, 2), "n must be at least 2, got 1"),
        (lambda: inputs.seed("seed", None), "seed must be an integer, got Non"),
        (lambda: inputs.seed("seed", "1"), "seed must be an integer, got '1'"),
        (lambda: inputs.seed("seed", -1), "seed must be at least 0"),
        (lambda: inputs.seed("seed", 2**32), "seed must be below"),
        (lambda: inputs.real("x", "1"), "x must be a number, got '1'"),
        (lambda: inputs.real("x", [1, 2]), "x must be a number"),
        (lambda: inputs.real("x", [1, [2]]), "x must be a number"),
        (lambda: inputs.real("x", None), "x must be a number, got None"),
        (lambda: inputs.real("x", math.nan), "x must be finite, got nan"),
        (lambda: inputs.real("x", 0, above=0), "x must be positive, got 0"),
        (
            lambda: inputs.real("level", 95, above=0, below=1),
            "level must be between 0 and 1, got 95",
        ),
        (lambda: inputs.real("x", 1, above=2), "x must be above 2, got 1"),
        (lambda: inputs.real("x", 3, below=2), "x must be below 2, got 3"),
        (
            lambda: inputs.choice("effort", "slow", ("fast", "exact")),
            "effort must be one of fast, exact, got 'slow'",
        ),
        (lambda: inputs.choice("effort", 3, ("fast",)), "effort .* got 3"),
    ],
)
def test_wrong_scalars_are_named(call, message):
    with pytest.raises(InputError, match=f"^{message}"):
        call()


def test_scalars():
    assert inputs.integer("n", np.int32(3)) == 3
    assert inputs.integer("n", jnp.asarray(3)) == 3
    assert inputs.seed("seed", 2**32 - 1) == 2**32 - 1
    assert inputs.real("x", np.float32(0.5), above=0, below=1) == 0.5
    assert inputs.real("x", jnp.asarray(0.5)) == 0.5
    assert inputs.boolean("b", np.bool_(True)) is True
    assert inputs.choice("effort", "fast", ("fast",)) == "fast"


@pytest.mark.parametrize(
    "call",
    [
        lambda n: inputs.numbers(n, ["a"]),
        lambda n: inputs.finite(n, [math.nan]),
        lambda n: inputs.integers(n, [0.5]),
        lambda n: inputs.codes(n, [None]),
        lambda n: inputs.probabilities(n, [0.5]),
        lambda n: inputs.distribution(n, [0.5]),
        lambda n: inputs.float32(n, [1e39]),
        lambda n: inputs.integer(n, "a" * 10**6),
        lambda n: inputs.real(n, "a" * 10**6),
        lambda n: inputs.choice(n, "a" * 10**6, ("b",)),
        lambda n: inputs.numbers("x", Frame({n: Series(["a"] * 3, "O")})),
        lambda n: inputs.numbers("x", np.array(["a" * 10**6, 3], object)),
        lambda n: inputs.numbers("x", np.zeros(1, [(n, "f4"), ("b", "f4")])),
    ],
)
def test_messages_are_short_whatever_the_names(call):
    with pytest.raises(InputError) as caught:
        call("name" * 10**5)
    assert len(str(caught.value)) < 600
