"""Published numbers, as data: real modalities, and accuracies of models.

From the stored output of notebooks and files of the repository pliang279/PID
(commits 66216ef and 11c74d6, MIT licence), which belongs to Liang et al.,
"Multimodal learning without labeled multimodal data" (ICLR 2024), and
"Quantifying and modeling multimodal interactions" (NeurIPS 2023). The released
code stores the unique informations under each other's names; here they have
their own.
"""

import math
from typing import Any, NamedTuple

from bounds.synergy_lower import LARGEST_FACTOR


class Row(NamedTuple):
    """A pair of modalities of the ICLR paper's real data, in bits.

    Of the test split, each modality in 20 clusters (k-means on five principal
    components).

    Attributes:
      data: the data set.
      pair: the modalities, the first one first.
      redundancy: R.
      unique1: U1.
      unique2: U2.
      synergy: plug-in S, with the labels of pairs.
      lower_redundancy: S_R.
      lower_disagreement: S_U as released, alpha - max(U1, U2).
      upper: the upper bound on S, from a min-entropy coupling.
    """

    data: str
    pair: str
    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    lower_redundancy: float
    lower_disagreement: float
    upper: float

    @property
    def t_min(self) -> float:
        """R + U1 + U2, the least information that both have."""
        return self.redundancy + self.unique1 + self.unique2

    @property
    def alpha(self) -> float:
        """Expected squared distance of the two posteriors, no information."""
        return self.lower_disagreement + max(self.unique1, self.unique2)

    @property
    def excess(self) -> float:
        """S + min(U1, U2) = I(X1,X2;Y) - max(I(X1;Y), I(X2;Y))."""
        return self.synergy + min(self.unique1, self.unique2)

    @property
    def valid_paper(self) -> float:
        """S_U with a constant that is proven: alpha / 4 - max(U1, U2)."""
        return self.alpha / 4 - max(self.unique1, self.unique2)

    @property
    def valid_disagreement(self) -> float:
        """S_D = alpha / (4 ln 2) - (U1 + U2) / 2, proven and larger."""
        return LARGEST_FACTOR * self.alpha - (self.unique1 + self.unique2) / 2


# data first second R U1 U2 S S_R S_U upper
_ROWS = """
MUStARD vision text .160992 .012886 .018920 .494031 .035792 .072765 .791998
MUStARD vision audio .162279 .011599 .028605 .310619 .005208 .057877 .782312
MUStARD audio text .177143 .013741 .002770 .508391 .057358 .111042 .791141
UR-FUNNY vision text .012326 .029332 .000000 .209288 -.008161 .003928 .958215
UR-FUNNY vision audio .013272 .028387 .000016 .235751 .003304 .004864 .958199
UR-FUNNY audio text .011294 .001969 .000999 .079274 .000342 .009728 .985611
MOSEI vision text .021573 .001581 .011659 .042647 .006134 .010184 .964930
MOSEI vision audio .017509 .005644 .000005 .028989 .003538 .006363 .976584
MOSEI audio text .017515 .000000 .015717 .033109 .004129 .003153 .966511
MOSI vision text .031036 .017143 .000000 .310505 .014071 .028818 .924945
MOSI vision audio .033811 .014368 .005488 .282310 .011986 .031015 .919457
MOSI audio text .029921 .009379 .001116 .140553 .001582 .020830 .932709
AV-MNIST image audio .174123 1.393097 .044059 .259764 .087187 -1.062431 1.708143
MIMIC series static .004657 .250386 .000000 .016050 -.001261 -.121853 .406956
ENRICO image wireframe .486043 .563643 .743892 1.018682 .013074 -.54861 2.092293
"""


def _row(words: list[str]) -> Row:
    data, first, second, *numbers = words
    return Row(data, f"{first} + {second}", *map(float, numbers))


ROWS = tuple(_row(line.split()) for line in _ROWS.split("\n") if line)


class Counted(NamedTuple):
    """The split that the clusters of a data set were counted on.

    Attributes:
      size: number of samples; those of MOSI and AV-MNIST are the data sets',
        of the others the models' accuracies are fractions of them.
      classes: number of labels. Of MIMIC's it is not known; two is the least
        that its entropy allows, and what makes the null smallest.
    """

    size: int
    classes: int


COUNTED = {
    "MUStARD": Counted(138, 2),
    "UR-FUNNY": Counted(1058, 2),
    "MOSEI": Counted(3637, 2),
    "MOSI": Counted(686, 2),
    "AV-MNIST": Counted(10_000, 10),
    "MIMIC": Counted(3262, 2),
    "ENRICO": Counted(292, 20),
}
CLUSTERS = 20


class Selection(NamedTuple):
    """Models of one data set, and how good the one was that was selected.

    The companion takes the three models that did best on the synthetic set of
    the nearest interactions; the best of the three counts.

    Attributes:
      data: the data set, and the pair of modalities if there are three.
      selected: published: its accuracy in % of the best model's.
      accuracies: of all models, in %.
    """

    data: str
    selected: float
    accuracies: tuple[float, ...]


# data; selected; accuracies
_SELECTIONS = """
MIMIC; 99.70; 91.63 83.08 91.63 91.72 91.32 91.45 91.35 91.05 91.48 68.85
ENRICO; 99.34; 50.00 47.60 30.14 52.05 43.84 50.68 49.66 51.71
UR-FUNNY 12; 96.73; 59.36 59.64 58.88 58.41 60.30 61.91 63.61 62.10 61.53
UR-FUNNY 01; 97.67; 55.77 53.12 59.26 53.50 59.83 58.32 59.45 60.96 59.55
UR-FUNNY 02; 100.00; 60.30 58.70 62.38 59.55 62.48 62.29 60.78 64.46 64.84
MOSEI 12; 98.91; 79.93 80.12 64.94 78.66 79.85 80.07 81.00 78.72 68.85
MOSEI 01; 96.42; 64.64 39.59 61.31 64.92 65.22 64.70 65.05 62.88
MOSEI 02; 98.91; 65.14 80.15 79.79 79.63 81.03 80.64 79.52 62.88
MUStARD 01; 100.00; 60.87 61.59 57.97 57.25 55.07 60.14 58.70 55.80
MUStARD 02; 100.00; 57.25 59.42 57.97 63.77 63.04 68.84 69.57 66.67
MUStARD 12; 96.91; 70.29 70.29 68.12 42.03 63.04 59.42 59.42 60.14
"""


def _selection(line: str) -> Selection:
    data, selected, accuracies = line.split("; ")
    return Selection(
        data, float(selected), tuple(map(float, accuracies.split()))
    )


SELECTIONS = tuple(map(_selection, _SELECTIONS.strip().split("\n")))


def entropy_of_label(data: str) -> float:
    """What T_min and the upper bound of a data set's pairs sum to: H(Y)."""
    return max(row.t_min + row.upper for row in ROWS if row.data == data)


def label_of(data: str) -> list[float]:
    """A label distribution of a data set's entropy and number of classes.

    Of two classes it is the only one; of more p(k) ~ exp(-t k), which is even
    at t = 0.
    """
    classes = COUNTED[data].classes
    wanted = min(entropy_of_label(data), math.log2(classes))

    def law(t: float) -> list[float]:
        p = [math.exp(-t * k) for k in range(classes)]
        return [x / sum(p) for x in p]

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        entropy = -sum(x * math.log2(x) for x in law(middle) if x > 0)
        low, high = (middle, high) if entropy > wanted else (low, middle)
    return law((low + high) / 2)


def as_table(rows: tuple[Row, ...] = ROWS) -> dict[str, Any]:
    """The rows by column, with what follows from them."""
    derived = ("t_min", "alpha", "excess", "valid_paper", "valid_disagreement")
    return {
        name: [getattr(row, name) for row in rows]
        for name in (*Row._fields, *derived)
    }
