"""What is predicted of an example: a class, several labels, or numbers.

A data set says which; a method says by `TASKS` which of them its definition
covers.

Of several labels each is there or not, and all are taken as independent given
the inputs: log p(y|x) is the sum over the labels of log p(y_l|x). Logits and
log-probabilities are `[..., batch, labels, 2]`, and whoever normalises over the
last axis needs no change. A contribution is then the sum of those to the single
labels. The mean of phi_MI is a lower bound on the sum over labels of the
information about each, in bits, which is not the information about all labels
at once: what they share counts for each of them.

A number is standardised by its mean and deviation in the training split, and
p(y|x) is a Gaussian (`arm_jax.gaussian`), by two outputs. The prior p(y) is the
standard normal, which has the mean and the deviation of the training split but
not its shape: the mean of phi_MI is at most I(X;Y) and the divergence of y's
distribution from the normal together, and a bound on I(X;Y) where y is normal.
That of phi_CMI does not depend on the prior. Of several numbers at once,
`[batch, numbers]`, each has its Gaussian, independent of the others given the
inputs, and log p(y|x) is the sum, as of several labels.
"""

from arm_jax.data import Dataset
from arm_jax.errors import InputError

CLASSES = "classes"
LABELS = "labels"
REGRESSION = "regression"
# What data of a task have, for messages.
NAMES = {
    CLASSES: "one class per example",
    LABELS: "several labels per example",
    REGRESSION: "numbers to be predicted",
}


def of(dataset: Dataset) -> str:
    """Returns the task of a data set."""
    if dataset.target is not None:
        return REGRESSION
    return LABELS if dataset.label_names else CLASSES


def need_classes(dataset: Dataset, what: str) -> None:
    """Checks that examples have one class each.

    Args:
      dataset: The data.
      what: What needs it, for the message.

    Raises:
      InputError: They have several labels, or a number.
    """
    task = of(dataset)
    if task == CLASSES:
        return
    cure = {
        LABELS: "give one of them, such as label[:, 0], in a file of its own",
        REGRESSION: "give classes, such as np.digitize of a number",
    }
    raise InputError(
        f"{dataset.name}: {what} is for one class per example, and this has "
        f"{NAMES[task]}: {cure[task]}"
    )
