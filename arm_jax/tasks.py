"""What is predicted of an example: one class, or several labels at once.

A data set says which; a method says by `TASKS` which of them its definition
covers. Of several labels each is there or not, and all are taken as independent
given the inputs: log p(y|x) is the sum over the labels of log p(y_l|x). Logits
and log-probabilities are `[..., batch, labels, 2]`, and whoever normalises over
the last axis needs no change. A contribution is then the sum of those to the
single labels. Its mean is a bound on the sum over labels of their informations,
in bits, which is not the information about all labels at once: what they share
counts for each of them.
"""

from arm_jax.data import Dataset
from arm_jax.errors import InputError

CLASSES = "classes"
LABELS = "labels"


def of(dataset: Dataset) -> str:
    """Returns the task of a data set."""
    return LABELS if dataset.label_names else CLASSES


def need_classes(dataset: Dataset, what: str) -> None:
    """Checks that examples have one class each.

    Args:
      dataset: The data.
      what: What needs it, for the message.

    Raises:
      InputError: They have several labels.
    """
    if dataset.label_names:
        raise InputError(
            f"{dataset.name}: {what} is for one class per example, and these "
            f"have {len(dataset.label_names)} labels: give one of them, such "
            "as label[:, 0], in a file of its own"
        )
