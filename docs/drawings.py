"""Draws the pictures of the concept pages, docs/drawings/*.svg.

    python -m docs.drawings

Lines and text have the colour of the page that a drawing is put into, and
alone that of the reader's scheme, light or dark; areas have Okabe and Ito's
colours, which colour-blind readers can tell apart. A test compares.
"""

import html
import math
from pathlib import Path

FOLDER = Path(__file__).parent / "drawings"
WIDTH = 480
R, U1, U2, S = "#009E73", "#0072B2", "#E69F00", "#CC79A7"
_STYLE = (
    ".drawing{color:#24292f;font:15px sans-serif}"
    "@media(prefers-color-scheme:dark){.drawing{color:#e6edf3}}"
)


class Drawing:
    """Shapes, in the order in which they are drawn."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._shapes: list[str] = []

    def text(
        self, x: float, y: float, words: str, anchor: str = "start", *,
        size: int = 15, weight: str = "normal", fill: str = "currentColor",
    ) -> None:  # fmt: skip
        """Words whose baseline is at y."""
        self._shapes.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" '
            f'font-size="{size}" font-weight="{weight}" fill="{fill}">'
            f"{html.escape(words)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, fill: str,
        words: str = "", *, line: bool = False,
    ) -> None:  # fmt: skip
        """A filled box with words in its middle, or the outline of one."""
        look = (
            'fill="none" stroke="currentColor" stroke-dasharray="4 3"'
            if line
            else f'fill="{fill}"'
        )
        self._shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" '
            f'height="{height:g}" {look}/>'
        )
        if words:
            # Dark on these colours but blue: contrast of at least 4.5.
            dark = "#ffffff" if fill == U1 else "#111111"
            self.text(
                x + width / 2, y + height / 2 + 5, words, "middle", fill=dark
            )

    def line(self, *points: float, dash: str = "") -> None:
        """A line through points x, y, x, y, ..."""
        pairs = zip(points[::2], points[1::2], strict=True)
        path = " ".join(f"{x:g},{y:g}" for x, y in pairs)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(
            f'<polyline points="{path}" fill="none" stroke="currentColor" '
            f'stroke-width="1.5"{dashed}/>'
        )

    def brace(self, left: float, right: float, y: float, words: str) -> None:
        """A bracket below a span, and what it is."""
        self.line(left, y, left, y + 7, right, y + 7, right, y)
        self.text((left + right) / 2, y + 24, words, "middle", size=14)

    def mark(self, x: float, y: float, fill: str = "currentColor") -> None:
        """A dot."""
        self._shapes.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="{fill}"/>'
        )

    def svg(self) -> str:
        """The file."""
        shapes = "\n".join(self._shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" '
            f'viewBox="0 0 {WIDTH} {self._height}">\n'
            f"<style>{_STYLE}</style>\n{shapes}\n</svg>\n"
        )


def parts() -> Drawing:
    """What the four parts are, as lengths that add up."""
    d = Drawing(170)
    d.box(20, 10, 110, 44, U1, "U1")
    d.box(130, 10, 130, 44, R, "R")
    d.box(260, 10, 80, 44, U2, "U2")
    d.box(340, 10, 120, 44, S, "S")
    d.brace(20, 258, 60, "what the first knows alone")
    d.brace(132, 340, 94, "what the second knows alone")
    d.brace(20, 460, 132, "what both know together, I(X1,X2;Y)")
    return d


def gates() -> Drawing:
    """Problems of which each has one part, and one that has three."""
    d = Drawing(214)
    rows = (
        ("Two copies of the label", ((R, "R"),)),
        ("A label and noise", ((U1, "U1"),)),
        ("XOR of two coins", ((S, "S"),)),
    )
    for i, (name, spans) in enumerate(rows):
        y = 8 + 50 * i
        d.text(20, y + 25, name)
        for color, word in spans:
            d.box(230, y, 230, 38, color, f"{word} = 1 bit")
    d.text(20, 183, "AND of two coins")
    d.box(230, 158, 72, 38, R, "R .31")
    d.box(302, 158, 115, 38, S, "S .50")
    d.line(460, 158, 460, 196, dash="4 3")
    d.text(456, 210, "1 bit", "end", size=13)
    return d


def certificate() -> Drawing:
    """A minimum between what is reached and what is proven."""
    d = Drawing(150)
    d.line(20, 80, 460, 80)
    for x, above, below in (
        (120, "proven: nothing", "is below (dual)"),
        (360, "reached: a table", "that fits (primal)"),
    ):
        d.line(x, 70, x, 90)
        d.text(x, 36, above, "middle")
        d.text(x, 56, below, "middle")
    d.mark(235, 80, S)
    d.text(235, 106, "the minimum is in here", "middle")
    d.brace(120, 360, 112, "gap")
    return d


def interval() -> Drawing:
    """The synergy interval, from pairs of two variables."""
    d = Drawing(178)
    d.line(20, 96, 460, 96)
    d.box(90, 84, 250, 24, S)
    for x, words, y in (
        (90, "lower", 74),
        (280, "achieved", 74),
        (340, "upper", 48),
        (450, "H(Y) - T", 74),
    ):
        d.line(x, y + 6, x, 116)
        d.text(x, y, words, "middle")
    d.line(20, 90, 20, 102)
    d.text(20, 124, "0", "middle")
    d.brace(90, 340, 120, "the synergy of every joint is in here")
    d.text(450, 134, "trivial", "middle", size=13)
    d.text(450, 150, "bound", "middle", size=13)
    return d


def contributions() -> Drawing:
    """phi_MI and phi_CMI of one sample, as differences of bars."""
    d = Drawing(236)
    rows = (
        ("prior", 0.1, "#888888"),
        ("without image", 0.4, U2),
        ("without text", 0.8, U1),
        ("image and text", 0.9, R),
    )
    d.text(20, 18, "How sure of the true class, log p", size=14)
    ends = [132 + 62 * math.log2(p / 0.05) for _, p, _ in rows]
    for i, (name, p, color) in enumerate(rows):
        y = 30 + 34 * i
        d.text(20, y + 19, name, size=14)
        d.box(132, y, ends[i] - 132, 26, color)
        d.text(460, y + 18, f"{p:.0%}", "end", size=14)
    prior, without, _, both = ends
    d.line(prior, 56, prior, 206, dash="4 3")
    d.line(without, 90, without, 176, dash="4 3")
    d.brace(without, both, 176, "phi_CMI(image)")
    d.brace(prior, both, 206, "phi_MI: both, over the prior")
    return d


def balance() -> Drawing:
    """What training can take out of the data, and what it cannot."""
    d = Drawing(250)
    for left, title, first, second in (
        (30, "Joint training", 128, 36),
        (260, "Balanced", 132, 84),
    ):
        d.text(left + 95, 20, title, "middle", weight="bold")
        for x, top, height, fill, name in (
            (left + 15, 136, first, U1, "strong"),
            (left + 110, 88, second, U2, "weak"),
        ):
            d.box(x, 208 - top, 65, top, "", line=True)
            d.box(x, 208 - height, 65, height, fill)
            d.text(x + 32, 226, name, "middle")
    d.text(240, 245, "dashed: what the data hold", "middle", size=13)
    return d


DRAWINGS = (parts, gates, certificate, interval, contributions, balance)


def main() -> None:
    """Writes all drawings."""
    FOLDER.mkdir(exist_ok=True)
    for draw in DRAWINGS:
        path = FOLDER / f"{draw.__name__}.svg"
        path.write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
