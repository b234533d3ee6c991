"""Runs the notebooks and stores what their cells print and draw.

    python -m docs.notebooks [NAME ...]

Cells run in this process, in order, in a namespace and an empty folder of their
own. Nothing of Jupyter is needed; the files are read by it. What a figure is
called, `plt.subplots(num="...")`, is its text alternative.
"""

import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "notebooks"
os.environ.setdefault("MPLBACKEND", "agg")


def read(path: Path) -> dict[str, Any]:
    """Returns a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))


def run(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yields each cell of code with its outputs, in the notebook's format.

    What a cell raises is raised: a notebook that is stored has no errors.
    """
    from matplotlib import pyplot as plt

    namespace: dict[str, Any] = {"__name__": "__main__"}
    plt.close("all")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code":
                continue
            printed = io.StringIO()
            code = compile("".join(cell["source"]), f"cell {number}", "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
            outputs: list[Any] = []
            if text := printed.getvalue():
                outputs.append(
                    {
                        "name": "stdout",
                        "output_type": "stream",
                        "text": text.splitlines(keepends=True),
                    }
                )
            for figure in map(plt.figure, plt.get_fignums()):
                outputs.append(_picture(figure))
            plt.close("all")
            yield cell, outputs


def _picture(figure: Any) -> dict[str, Any]:
    """A figure as an output, its name the text alternative."""
    file = io.BytesIO()
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return {
        "data": {
            "image/png": base64.b64encode(file.getvalue()).decode(),
            "text/plain": [figure.get_label()],
        },
        "metadata": {"alt": figure.get_label()},
        "output_type": "display_data",
    }


def store(path: Path) -> None:
    """Runs a notebook and writes its outputs into it."""
    notebook = read(path)
    for done, (cell, outputs) in enumerate(run(notebook), start=1):
        cell["outputs"], cell["execution_count"] = outputs, done
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    """Runs the notebooks of these names, or all."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not names or path.stem in names:
            store(path)
            print("stored:", path)


if __name__ == "__main__":
    main(sys.argv[1:])
