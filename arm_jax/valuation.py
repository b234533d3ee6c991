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
labels, and so is what the mean of phi_MI bounds, see arm_jax.tasks.

Or the label is a number `[batch]`, float, and a `Gaussian` stands in the place
of log-probabilities: p(y|x) and p(y) are densities then. Several numbers at
once are `[batch, numbers]`, a Gaussian for each, independent given the inputs
as labels are. Whatever unit y has, contributions are in nats.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError
from arm_jax.gaussian import Gaussian
from bounds import inputs

Array = jax.Array | np.ndarray
# Of classes and labels, log-probabilities are arrays; of numbers, Gaussians.
Head = Callable[[Mapping[str, jax.Array], jax.Array], Any]


class Subsets(NamedTuple):
    """One value for each subset that valuation looks at.

    Of many examples, modalities come first. Only where devices and padding are
    merged and cut, in a prediction step, the batch does, see `batch_first`.

    Attributes:
      full: all modalities, `[...]`.
      alone: each modality alone, `[modalities, ...]`.
      without: all but each modality, `[modalities, ...]`.
    """

    full: Any
    alone: Any
    without: Any


def batch_first(log_probs: Subsets) -> Subsets:
    """Moves the axis of modalities behind that of the batch."""
    return log_probs._replace(
        alone=jax.tree.map(_swapped, log_probs.alone),
        without=jax.tree.map(_swapped, log_probs.without),
    )


def modalities_first(log_probs: Subsets) -> Subsets:
    """Undoes `batch_first`."""
    return batch_first(log_probs)


def _swapped(x: Any) -> Any:
    """Returns an array whose first two axes have changed places."""
    return x.__array_namespace__().moveaxis(x, 0, 1)


def subset_masks(modalities: int) -> Subsets:
    """Returns the masks of the subsets, each over `modalities` entries."""
    alone = np.eye(modalities, dtype=np.float32)
    return Subsets(np.ones(modalities, np.float32), alone, 1 - alone)


def subset_log_probs(head: Head, features: Mapping[str, jax.Array]) -> Subsets:
    """Log-probabilities (nats) of all subsets, see `on_masks`.

    Args:
      head: `head(features, mask) -> logits`, `[batch, classes]` or `[batch,
        labels, 2]`, or a `Gaussian`.
      features: Features of each modality, `[batch, width]`; computed once.

    Returns:
      Arrays `[..., batch, classes]` or `[..., batch, labels, 2]` by subset, or
      Gaussians.
    """
    count = len(features)
    masks = subset_masks(count)
    stacked = np.concatenate([masks.full[None], masks.alone, masks.without])
    log_p = normalized(on_masks(head, features, stacked))
    places = 0, slice(1, 1 + count), slice(1 + count, None)
    return Subsets(
        *(jax.tree.map(lambda x, at=at: x[at], log_p) for at in places)
    )


def on_masks(
    head: Head, features: Mapping[str, jax.Array], masks: np.ndarray
) -> Any:
    """Outputs of a head under each of several masks, `[masks, batch, ...]`.

    By vmapping it over them, unless it has a function `on_masks` of its own: a
    fusion may share work between subsets, see `Method.fuse_masks`.

    Args:
      head: As in `subset_log_probs`.
      features: Likewise.
      masks: `[masks, modalities]`, of 0 and 1, known when tracing.
    """
    own = getattr(head, "on_masks", None)
    if own is not None:
        return own(features, masks)
    return jax.vmap(head, in_axes=(None, 0))(
        features, masks_for(features, masks)
    )


def normalized(outputs: Any) -> Any:
    """Returns log-probabilities of logits; Gaussians stay what they are."""
    if isinstance(outputs, Gaussian):
        return outputs
    return jax.nn.log_softmax(outputs)


def of_outputs(outputs: jax.Array, label: Array) -> Any:
    """Returns what the outputs of a linear layer say of a label of this kind.

    Args:
      outputs: `[..., classes]`, `[..., labels, 2]`, or of a number `[..., 2]`,
        of several `[..., numbers, 2]`.
      label: integers, or floats, which are numbers.
    """
    if np.issubdtype(label.dtype, np.floating):
        return Gaussian.of_outputs(outputs)
    return jax.nn.log_softmax(outputs)


def masks_for(features: Mapping[str, jax.Array], masks: Array) -> jax.Array:
    """Returns masks in the dtype of the features that they go with."""
    return jnp.asarray(masks, next(iter(features.values())).dtype)


def is_right(scores: Any, label: Array) -> jax.Array:
    """Whether the label has the largest of the scores, `[..., batch]`.

    Args:
      scores: `[..., batch, classes]`, or `[..., batch, labels, 2]`.
      label: `[batch]`, or `[batch, labels]`.

    Returns:
      bool; of several labels the share that is right; of a number 1 less its
      squared error, in which the mean over examples is the share of a variance
      of 1 that Gaussians explain, and of several the mean of theirs.
    """
    right = each_is_right(scores, label)
    return right.mean(axis=-1) if np.ndim(label) > 1 else right


def each_is_right(scores: Any, label: Array) -> jax.Array:
    """As `is_right`, of several labels or numbers one by one."""
    if isinstance(scores, Gaussian):
        return (
            1 - (scores.mean - jnp.broadcast_to(label, scores.mean.shape)) ** 2
        )
    largest = jnp.argmax(scores, axis=-1)
    return largest == jnp.broadcast_to(label, largest.shape).astype(
        largest.dtype
    )


def at_label(log_probs: Any, label: Array) -> Any:
    """Picks log p(y_i), `[..., batch]`, from `[..., batch, classes]`.

    Of several labels `[batch, labels]`, the sum over them is picked from
    `[..., batch, labels, 2]`. Of a number it is the log density, of several the
    sum of theirs. NumPy arrays stay such, as in all functions of contributions
    with labels.

    Raises:
      InputError: outside of jit, a label that is no integer or no class.
    """
    if isinstance(log_probs, Gaussian):
        density = log_probs.log_density(label)
        return density.sum(axis=-1) if np.ndim(label) > 1 else density
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
      log_prior: log p(y), `[classes]`, or of several labels `[labels, 2]`; of a
        number mean and log deviation of its Gaussian, `[2]`, of several
        `[numbers, 2]`.
      label: `[batch]`, or `[batch, labels]`.

    Raises:
      InputError: as `at_label`.
    """
    if isinstance(log_probs.full, Gaussian):
        prior = _prior(log_prior, log_probs.full)
        return at_label(log_probs.full, label) - at_label(prior, label)
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
    full, without = log_probs.full, log_probs.without
    if isinstance(full, Gaussian):
        each = full.broadcast_to(without.mean.shape).divergence(without)
        return _over_events(each, np.ndim(full.mean) - 1)
    events = np.ndim(full) - 1
    return _divergence(full, without, events)


def expected_joint_contribution(
    log_probs: Subsets, log_prior: Array
) -> jax.Array:
    """Expected phi_MI `[batch]` in nats, without labels: KL(p_all || p(y))."""
    if isinstance(log_probs.full, Gaussian):
        each = log_probs.full.divergence(_prior(log_prior, log_probs.full))
        return _over_events(each, np.ndim(log_prior) - 1)
    return _divergence(
        log_probs.full, jnp.asarray(log_prior), np.ndim(log_prior)
    )


def _prior(log_prior: Array, like: Gaussian) -> Gaussian:
    """The prior of numbers, as often as there are predictions."""
    xp = like.mean.__array_namespace__()
    prior = xp.asarray(log_prior, dtype=like.mean.dtype)
    both = Gaussian(prior[..., 0], prior[..., 1])
    return both.broadcast_to(like.mean.shape)


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
    return _over_events(each, events)


def _over_events(x: Any, count: int) -> Any:
    """Sums over the last axes, `count` of them."""
    return x.sum(axis=tuple(range(-count, 0))) if count else x
