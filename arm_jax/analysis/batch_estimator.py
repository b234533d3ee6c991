"""BATCH, the neural estimator of Liang et al., as a baseline.

"Quantifying and modeling multimodal interactions" (NeurIPS 2023). Two networks
embed every sample of a batch once for each label; the exponential of the
products of embeddings is, label by label, scaled to the unimodal posteriors
(Sinkhorn and Knopp), which gives a joint q of samples of modality 1, samples of
modality 2 and labels; and the networks are trained to make I_q(X1,X2;Y) small.

As the paper has it: batches of pairs, label-conditioned embeddings standardised
over the batch, frozen posteriors, alternating scaling. Not so: the released
code scales until an error of 0.01, with no end to the sweeps; here there
is a fixed number, so that all is one compiled program, and the last scaling is
to p(y|x2); products of embeddings are bent to be at most 15 (by tanh), so that
float32 holds their exponentials; negative values are not clipped.
`bounds.pid_of_posteriors` solves the same problem without networks: this is
here to compare with.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax.errors import InputError, TrainingError
from arm_jax.models.label_embedding import LabelEmbedding, label_embedding
from bounds import inputs

_TINY = 1e-30
# Of the logarithm of the ratio of a joint to independence.
_LARGEST = 15.0


class BatchPID(NamedTuple):
    """The decomposition that BATCH estimates, in bits; no error bars.

    Attributes:
      redundancy: see `bounds.PID`.
      unique1: see `bounds.PID`.
      unique2: see `bounds.PID`.
      synergy: of the total by r12; None without it.
      total: I(X1,X2;Y) by r12; None without it.
      losses: I_q less the mean of both informations on each training batch,
        bits, `[steps]`.
      violation: how far the marginals of q are from the posteriors, in total
        variation, in the mean over the batches of the answer.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float | None
    total: float | None
    losses: np.ndarray
    violation: float


def batch_pid(
    x1: Any,
    x2: Any,
    r1: Any,
    r2: Any,
    *,
    r12: Any = None,
    width: int = 32,
    hidden: tuple[int, ...] = (64, 64),
    batch_size: int = 256,
    steps: int = 320,
    sweeps: int = 10,
    learning_rate: float = 1e-3,
    answers: int = 8,
    seed: int = 0,
) -> BatchPID:
    """Decomposes what two modalities say about a label, by networks.

    Args:
      x1: features of paired samples, `[n, features1]`.
      x2: features of the second modality, `[n, features2]`.
      r1: p(y|x1), `[n, y]`, of a classifier that stays as it is.
      r2: p(y|x2), `[n, y]`.
      r12: p(y|x1,x2), `[n, y]`, for synergy and total.
      width: numbers of an embedding.
      hidden: widths of the networks' hidden layers.
      batch_size: samples of a batch, at most n.
      steps: batches of the training; 320 are the companion's 40 epochs of 2,000
        samples.
      sweeps: scalings to either posterior in a training batch; four times as
        many in those of the answer.
      learning_rate: of Adam.
      answers: batches that the answer is averaged over.
      seed: of parameters and batches.

    Returns:
      The decomposition.

    Raises:
      InputError: features or posteriors that do not belong together; options
        out of range.
      TrainingError: the loss stopped being finite.
    """
    x = [_features(f"x{i + 1}", value) for i, value in enumerate((x1, x2))]
    r = [
        inputs.probabilities(f"r{i + 1}", value)
        for i, value in enumerate((r1, r2))
    ]
    both = None if r12 is None else inputs.probabilities("r12", r12)
    _check_together(x, r, both)
    sizes = {
        name: inputs.integer(name, value, 1)
        for name, value in (
            ("width", width), ("batch_size", batch_size), ("steps", steps),
            ("sweeps", sweeps), ("answers", answers),
        )
    }  # fmt: skip
    learning_rate = inputs.real("learning_rate", learning_rate, above=0)
    key = jax.random.key(inputs.seed("seed", seed))
    n, classes = r[0].shape
    embeddings = [
        label_embedding(classes, sizes["width"], tuple(hidden))
        for _ in range(2)
    ]
    data = tuple(jnp.asarray(a, jnp.float32) for a in (*x, *r))
    program = _program(
        embeddings, n, min(sizes["batch_size"], n), sizes["steps"],
        sizes["sweeps"], learning_rate, sizes["answers"],
    )  # fmt: skip
    found = jax.tree.map(np.asarray, jax.jit(program)(key, data))
    finite = np.isfinite(found["losses"])
    if not finite.all():
        raise TrainingError(
            f"the loss of batch {finite.argmin()} is not finite; a "
            f"learning_rate below {learning_rate:g} may help"
        )
    excess = float(found["excess"])
    prior = np.mean([rows.mean(0) for rows in r], 0)
    one, two = (_information(rows, prior) for rows in r)
    minimum = excess + (one + two) / 2
    total = None if both is None else _information(both, prior)
    return BatchPID(
        redundancy=one + two - minimum,
        unique1=minimum - two,
        unique2=minimum - one,
        synergy=None if total is None else total - minimum,
        total=total,
        losses=found["losses"],
        violation=float(found["violation"]),
    )


def _features(name: str, value: Any) -> np.ndarray:
    """Standardised features `[n, d]`."""
    x = inputs.finite(name, value).astype(np.float64)
    if x.ndim != 2 or not x.size:
        raise InputError(
            f"{name} must have rows of features, got shape {x.shape}"
        )
    deviation = x.std(0)
    return (x - x.mean(0)) / np.where(deviation > 0, deviation, 1)


def _check_together(
    x: list[np.ndarray], r: list[np.ndarray], both: np.ndarray | None
) -> None:
    named = {"x2": x[1], "r1": r[0], "r2": r[1]}
    named |= {} if both is None else {"r12": both}
    for name, rows in named.items():
        if len(rows) != len(x[0]):
            raise InputError(
                f"{name} has {len(rows)} samples, x1 has {len(x[0])}"
            )
        if name.startswith("r") and rows.shape[1] != r[0].shape[1]:
            raise InputError(
                f"{name} has {rows.shape[1]} classes, r1 has {r[0].shape[1]}"
            )


def _information(r: np.ndarray, prior: np.ndarray) -> float:
    safe, label = np.where(r > 0, r, 1), np.where(prior > 0, prior, 1)
    return float(np.sum(r * np.log2(safe / label), 1).mean())


def _program(
    embeddings: list[LabelEmbedding],
    n: int,
    batch_size: int,
    steps: int,
    sweeps: int,
    learning_rate: float,
    answers: int,
) -> Any:
    """Training and answer as a function of a key and (x1, x2, r1, r2)."""
    optimizer = optax.adam(learning_rate)

    def drawn(key: jax.Array, data: Any) -> Any:
        rows = jax.random.choice(key, n, (batch_size,), replace=False)
        return jax.tree.map(lambda a: a[rows], data)

    def excess(params: Any, batch: Any, sweeps: int) -> Any:
        x1, x2, r1, r2 = batch
        first, second = (
            embedding.apply(p, x)
            for embedding, p, x in zip(
                embeddings, params, (x1, x2), strict=True
            )
        )
        logits = jnp.einsum("iyd,jyd->yij", first, second)
        logits = logits / math.sqrt(first.shape[-1])
        logits = _LARGEST * jnp.tanh(logits / _LARGEST)
        p1, p2 = _tables(r1, r2)
        q = _scaled(logits, p1, p2, sweeps)
        low = (_nats(p1.T) + _nats(p2.T)) / 2
        value = _nats(q.reshape(q.shape[0], -1).T) - low
        off = jnp.abs(q.sum(2) - p1).sum() + jnp.abs(q.sum(1) - p2).sum()
        return value / math.log(2), off / 2

    def step(carry: Any, key: jax.Array) -> Any:
        params, state, data = carry
        batch = drawn(key, data)
        (value, _), gradient = jax.value_and_grad(excess, has_aux=True)(
            params, batch, sweeps
        )
        # Optax counts steps in integers.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state, data), value

    def program(key: jax.Array, data: Any) -> dict[str, jax.Array]:
        keys = jax.random.split(key, 4)
        params = [
            embedding.init(k, x[:2])
            for embedding, k, x in zip(
                embeddings, keys[:2], data[:2], strict=True
            )
        ]
        carry = (params, optimizer.init(params), data)
        (params, _, _), losses = jax.lax.scan(
            step, carry, jax.random.split(keys[2], steps)
        )
        values, off = jax.lax.map(
            lambda k: excess(params, drawn(k, data), 4 * sweeps),
            jax.random.split(keys[3], answers),
        )
        return {
            "losses": losses,
            "excess": values.mean(),
            "violation": off.mean(),
        }

    return program


def _tables(r1: jax.Array, r2: jax.Array) -> tuple[jax.Array, jax.Array]:
    """p(y, sample) of a batch for each modality, `[y, n]`, of one p(y)."""
    p1, p2 = r1.T / r1.shape[0], r2.T / r2.shape[0]
    label = (p1.sum(1) + p2.sum(1)) / 2
    first, second = (
        p * (label / jnp.maximum(p.sum(1), _TINY))[:, None] for p in (p1, p2)
    )
    return first, second


def _scaled(
    logits: jax.Array, p1: jax.Array, p2: jax.Array, sweeps: int
) -> jax.Array:
    """The joint `[y, n1, n2]` with these marginals, nearly."""
    top = jax.lax.stop_gradient(logits.max((1, 2), keepdims=True))
    kernel = jnp.exp(logits - top)

    def to_first(b: jax.Array) -> jax.Array:
        return p1 / jnp.maximum(jnp.einsum("yij,yj->yi", kernel, b), _TINY)

    def to_second(a: jax.Array) -> jax.Array:
        return p2 / jnp.maximum(jnp.einsum("yij,yi->yj", kernel, a), _TINY)

    # A loop of fixed length, through which gradients flow.
    b = jax.lax.fori_loop(
        0, sweeps, lambda _, b: to_second(to_first(b)), jnp.ones_like(p2)
    )
    a = to_first(b)
    return kernel * a[:, :, None] * to_second(a)[:, None, :]


def _nats(p: jax.Array) -> jax.Array:
    """Mutual information of a table `[x, y]`."""

    def log(x: jax.Array) -> jax.Array:
        return jnp.log(jnp.maximum(x, _TINY))

    # No quotient: of what float32 hardly holds it would be infinite.
    rows, columns = p.sum(1, keepdims=True), p.sum(0, keepdims=True)
    return jnp.sum(p * (log(p) - log(rows) - log(columns)))
