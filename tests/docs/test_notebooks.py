import json
import re

import numpy as np
import pytest

from docs import notebooks

NAMES = sorted(path.stem for path in notebooks.FOLDER.glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def shape(text):
    """The words without the numbers, and the numbers."""
    return NUMBER.sub("#", text), [float(x) for x in NUMBER.findall(text)]


def test_there_are_three():
    assert NAMES == ["balancing", "elsewhere", "interactions"]


@pytest.mark.parametrize("name", NAMES)
def test_cells_print_and_draw_what_is_stored(name):
    """Numbers to what another build of a library may change."""
    notebook = notebooks.read(notebooks.FOLDER / f"{name}.ipynb")
    pictures = 0
    for cell, outputs in notebooks.run(notebook):
        stored = cell["outputs"]
        kinds = [o["output_type"] for o in stored]
        assert [o["output_type"] for o in outputs] == kinds
        for old, new in zip(stored, outputs, strict=True):
            if old["output_type"] == "display_data":
                pictures += 1
                assert old["metadata"] == new["metadata"]
                assert old["metadata"]["alt"]
                continue
            words, numbers = shape("".join(old["text"]))
            new_words, new_numbers = shape("".join(new["text"]))
            assert new_words == words
            tiny = "off by more than" in words  # round-off, of any size
            np.testing.assert_allclose(
                new_numbers, numbers, rtol=0.1, atol=1e-6 if tiny else 0.05
            )
    assert pictures


def test_cells_share_names_and_figures_are_outputs():
    cells = [
        {"cell_type": "code", "source": ["x = 1\n", "print(x)"]},
        {"cell_type": "markdown", "source": ["words"]},
        {
            "cell_type": "code",
            "source": [
                "from matplotlib import pyplot as plt\n",
                "plt.figure(num='a line')\n",
                "print(x + 1)",
            ],
        },
    ]
    first, second = (out for _, out in notebooks.run({"cells": cells}))
    assert first[0]["text"] == ["1\n"]
    assert second[0]["text"] == ["2\n"]
    assert second[1]["metadata"] == {"alt": "a line"}
    assert json.dumps(second)  # as the file needs it


def test_what_a_cell_raises_is_raised():
    cells = [{"cell_type": "code", "source": ["1 / 0"]}]
    with pytest.raises(ZeroDivisionError):
        list(notebooks.run({"cells": cells}))
