"""The picture of the README, from the results in docs/results.

    python -m docs.picture

Left, what becomes of the weaker sensor of a watch under two methods; right,
what pairs of modalities know about the label.
"""

from pathlib import Path

import numpy as np

from arm_jax.reports.demo import METHODS
from arm_jax.reports.pieces import COLORS, figure, percent
from arm_jax.reports.training import accuracy_keys
from arm_jax.workdir import read_json

_DOCS = Path(__file__).parent
FILE = _DOCS / "picture.svg"
# Results, and the pair of theirs that is shown.
_PAIRS = {
    "watch": "accel & gyro",
    "avdigits": "audio & image",
    "mfeat": "mor & zer",
    "mosi": "text & video",
}
_PARTS = {
    "redundancy": "both say it (R)",
    "unique1": "only the first (U1)",
    "unique2": "only the second (U2)",
    "synergy": "only together (S)",
}


def draw(path: Path = FILE) -> None:
    """Draws the picture into a file."""
    demo = read_json(_DOCS / "results" / "demo.json")
    with figure(path, ncols=2, figsize=(10, 3.2)) as (_, axes):
        left, right = axes
        keys = accuracy_keys(demo[METHODS[0]])
        at = np.arange(len(keys))
        for i, method in enumerate(METHODS):
            values = [percent(demo[method], key) for key in keys.values()]
            place = at + (i - 0.5) * 0.38
            color = COLORS[5 if i == 0 else 0]
            means = [x.mean() for x in values]
            left.bar(place, means, 0.36, color=color, label=method)
            left.errorbar(
                place, means, [x.std(ddof=1) for x in values], fmt="none",
                ecolor=COLORS[6], linewidth=1.5,
            )  # fmt: skip
            for x, mean in zip(place, means, strict=True):
                left.text(x, mean + 4, f"{mean:.0f}", ha="center", va="bottom")
        left.set_xticks(at, list(keys))
        left.set(ylabel="test accuracy (%)", ylim=(0, 109))
        left.set_title("Balance: two sensors of a watch", loc="left")
        left.grid(visible=False, axis="x")
        left.legend(ncols=2, loc="upper right")
        starts = np.zeros(len(_PAIRS))
        found = [
            read_json(_DOCS / "results" / f"quantify_{name}.json")["pairs"][
                pair
            ]["posteriors"]["value"]
            for name, pair in _PAIRS.items()
        ]
        for i, (part, words) in enumerate(_PARTS.items()):
            widths = np.array([max(value[part], 0) for value in found])
            right.barh(
                list(map(": ".join, _PAIRS.items())), widths, 0.6,
                left=starts, color=COLORS[i], label=words,
            )  # fmt: skip
            starts += widths
        # Room for the legend below the last bar.
        right.set_ylim(len(_PAIRS) + 0.3, -0.5)
        right.set_xlabel("information about the label (bits)")
        right.set_title("Quantify: what pairs know", loc="left")
        right.grid(visible=False, axis="y")
        right.legend(fontsize=8, loc="lower right")


if __name__ == "__main__":
    draw()
