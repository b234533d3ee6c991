"""What each modality contributes to a prediction, sample by sample.

A model predicts from any subset A of the modalities, p_A(y|x), by masking the
features of the others before its head. With y_i the true label,

    phi_MI(i)     = log p_all(y_i|x_i) - log p(y_i)
    phi_CMI(i, m) = log p_all(y_i|x_i) - log p_{all but m}(y_i|x_i)

are the pointwise joint contribution, whose mean is a lower bound on I(X;Y)
(Barber and Agakov 2003), and the pointwise conditional contribution of
modality m given the others. For exact posteriors their means are I(X;Y) and
I(X_m;Y|X_rest).

Labels are classes `[batch]`, or several at once, each 0 or 1, `[batch,
labels]`. There are log-probabilities `[..., batch, labels, 2]` then, one
distribution per label, and log p(y_i) is the sum over the labels, which are
taken as independent given the inputs. So contributions are sums over the
labels, and their means bounds on the sum of the labels' informations, see
arm_jax.tasks.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError
from bounds import inputs

Array = jax.Array | np.ndarray
Head = Callable[[Mapping[str, jax.Array], jax.Array], jax.Array]


class Subsets(NamedTuple):
    """One value for each subset that valuation looks at.

    Of many examples, modalities come first. Only where devices and padding are
    merged and cut, in a prediction step, the batch does, see `batch_first`.

    Attributes:
      full: all modalities, `[...]`.
      alone: each modality alone, `[modalities, ...]`.
      without: all but each modality, `[modalities, ...]`.
    """

    full: Array
    alone: Array
    without: Array


def batch_first(log_probs: Subsets) -> Subsets:
    """Moves the axis of modalities behind that of the batch."""
    xp = log_probs.full.__array_namespace__()
    return log_probs._replace(
        alone=xp.moveaxis(log_probs.alone, 0, 1),
        without=xp.moveaxis(log_probs.without, 0, 1),
    )


def modalities_first(log_probs: Subsets) -> Subsets:
    """Undoes `batch_first`."""
    xp = log_probs.full.__array_namespace__()
    return log_probs._replace(
        alone=xp.moveaxis(log_probs.alone, 1, 0),
        without=xp.moveaxis(log_probs.without, 1, 0),
    )


def subset_masks(modalities: int) -> Subsets:
    """Returns the masks of the subsets, each over `modalities` entries."""
    alone = np.eye(modalities, dtype=np.float32)
    return Subsets(np.ones(modalities, np.float32), alone, 1 - alone)


def subset_log_probs(head: Head, features: Mapping[str, jax.Array]) -> Subsets:
    """Log-probabilities (nats) of all subsets, by vmapping the head over masks.

    Args:
      head: `head(features, mask) -> logits`, `[batch, classes]` or `[batch,
        labels, 2]`.
      features: Features of each modality, `[batch, width]`; computed once.

    Returns:
      Arrays `[..., batch, classes]` or `[..., batch, labels, 2]` by subset.
    """
    count = len(features)
    masks = subset_masks(count)
    stacked = np.concatenate([masks.full[None], masks.alone, masks.without])
    logits = jax.vmap(head, in_axes=(None, 0))(
        features, masks_for(features, stacked)
    )
    log_p = jax.nn.log_softmax(logits)
    return Subsets(log_p[0], log_p[1 : 1 + count], log_p[1 + count :])


def masks_for(features: Mapping[str, jax.Array], masks: Array) -> jax.Array:
    """Returns masks in the dtype of the features that they go with."""
    return jnp.asarray(masks, next(iter(features.values())).dtype)


def is_right(scores: Array, label: Array) -> jax.Array:
    """Whether the label has the largest of the scores, `[..., batch]`.

    Args:
      scores: `[..., batch, classes]`, or `[..., batch, labels, 2]`.
      label: `[batch]`, or `[batch, labels]`.

    Returns:
      bool; of several labels the share that is right.
    """
    largest = jnp.argmax(scores, axis=-1)
    right = largest == jnp.broadcast_to(label, largest.shape).astype(
        largest.dtype
    )
    return right.mean(axis=-1) if np.ndim(label) > 1 else right


def at_label(log_probs: Array, label: Array) -> Any:
    """Picks log p(y_i), `[..., batch]`, from `[..., batch, classes]`.

    Of several labels `[batch, labels]`, the sum over them is picked from
    `[..., batch, labels, 2]`. NumPy arrays stay such, as in all functions of
    contributions with labels.

    Raises:
      InputError: outside of jit, a label that is no integer or no class.
    """
    _check_label(label, log_probs.shape[-1])
    xp = log_probs.__array_namespace__()
    index = xp.broadcast_to(label, log_probs.shape[:-1])[..., None]
    found = xp.take_along_axis(log_probs, index, axis=-1)[..., 0]
    return found.sum(axis=-1) if np.ndim(label) > 1 else found


def joint_contribution(
    log_probs: Subsets, log_prior: Array, label: Array
) -> Any:
    """phi_MI `[batch]` in nats.

    Args:
      log_probs: Those of all subsets.
      log_prior: log p(y), `[classes]`, or of several labels `[labels, 2]`.
      label: `[batch]`, or `[batch, labels]`.

    Raises:
      InputError: as `at_label`.
    """
    _check_label(label, np.shape(log_prior)[-1])
    xp = log_probs.full.__array_namespace__()
    prior = xp.asarray(log_prior, dtype=log_probs.full.dtype)
    if np.ndim(label) > 1:
        prior = xp.broadcast_to(prior, log_probs.full.shape)
        return at_label(log_probs.full, label) - at_label(prior, label)
    return at_label(log_probs.full, label) - xp.take(prior, label)


def conditional_contributions(log_probs: Subsets, label: Array) -> Any:
    """phi_CMI `[modalities, batch]` in nats.

    Raises:
      InputError: as `at_label`.
    """
    full = at_label(log_probs.full, label)
    return full[None] - at_label(log_probs.without, label)


def expected_conditional_contributions(log_probs: Subsets) -> jax.Array:
    """Expected phi_CMI `[modalities, batch]` in nats, without labels.

    Under the model's own prediction the expectation of phi_CMI is
    KL(p_all || p_{all but m}), never negative. `full` must be of one axis of
    examples: what is behind it tells classes from several labels.
    """
    events = np.ndim(log_probs.full) - 1
    return _divergence(log_probs.full, log_probs.without, events)


def expected_joint_contribution(
    log_probs: Subsets, log_prior: Array
) -> jax.Array:
    """Expected phi_MI `[batch]` in nats, without labels: KL(p_all || p(y))."""
    return _divergence(
        log_probs.full, jnp.asarray(log_prior), np.ndim(log_prior)
    )


def _check_label(label: Array, classes: int) -> None:
    """Raises InputError for a label that indexing would take for another."""
    if isinstance(label, jax.core.Tracer):
        return
    values = inputs.integers("label", np.ma.ravel(label))
    bad = np.flatnonzero((values < 0) | (values >= classes))
    if len(bad):
        place = np.unravel_index(bad[0], np.shape(label) or (1,))
        raise InputError(
            f"label[{', '.join(map(str, place))}] is {values[bad[0]]}, outside "
            f"0..{classes - 1}"
        )


def _divergence(log_p: Array, log_q: Array, events: int) -> jax.Array:
    """KL divergence, summed over the last `events` axes."""
    log_q = jnp.asarray(log_q, log_p.dtype)
    log_p, log_q = jnp.broadcast_arrays(log_p, log_q)
    each = jnp.exp(log_p) * (log_p - log_q)
    return each.sum(axis=tuple(range(-events, 0)))
