"""One page of HTML: the answer, the picture, the evidence.

A page is one file that needs no network. It is read on a phone and on paper, in
light and in dark, and by a screen reader: colours come from variables, tables
become lists where they are too wide, figures have words.
"""

import html
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arm_jax.reports import page_style

# Tables of so many rows are sorted by a click.
_SORTABLE = 8
# Characters of a row up to which it fits a phone, a tablet, a narrow window.
_WIDTHS = ((40, "narrow"), (72, "middle"))
# A line of its own; a name in its words may have brackets.
_IMAGE = re.compile(r"^!\[(.*)\]\(([^()\s]*)\)$", re.MULTILINE)
_CELL_ENDS = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


class Bar(NamedTuple):
    """A row of a bar chart.

    Attributes:
      name: what it is about.
      parts: name, size and number of the colour of what is stacked.
      text: the values in words.
      interval: ends of the whisker; None for none.
    """

    name: str
    parts: Sequence[tuple[str, float, int]]
    text: str
    interval: tuple[float, float] | None = None


def page(title: str, answer: Sequence[str], body: Iterable[str]) -> str:
    """Returns a page.

    Args:
      title: of the page.
      answer: sentences, in words that need no knowledge of the field.
      body: what follows, as HTML.
    """
    name = text(title)
    lines = [
        f"<h1>{name}</h1>",
        f'<div class="answer">{"".join(map(paragraph, answer))}</div>',
        *body,
    ]
    whole = "\n".join(lines)
    return page_style.FRAME.format(
        title=name,
        style=page_style.STYLE,
        body=whole,
        script=page_style.SCRIPT if " data-sortable>" in whole else "",
    )


def of_markdown(
    source: str, folder: Path, answer: Sequence[str], picture: str = ""
) -> str:
    """Returns the page of a report in Markdown, with the answer before it.

    Args:
      source: the report, its first line the title.
      folder: where its figures are.
      answer: see `page`.
      picture: what comes between answer and report, as HTML.
    """
    first, _, rest = source.partition("\n")
    title = _as_it_was(first.removeprefix("# "))
    return page(title, answer, [picture, *markdown(rest, folder)])


def text(words: Any) -> str:
    """Returns words as HTML."""
    return html.escape(str(words))


def paragraph(words: str) -> str:
    """Returns words, with **bold** ones and `code`, as a paragraph."""
    return f"<p>{_inline(words)}</p>"


def heading(words: str, level: int = 2) -> str:
    """Returns a heading."""
    return f"<h{level}>{_inline(words)}</h{level}>"


def items(lines: Iterable[str]) -> str:
    """Returns a list."""
    return f"<ul>{''.join(f'<li>{_inline(line)}</li>' for line in lines)}</ul>"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table without its empty columns; long ones can be sorted."""
    rows = [[str(cell) for cell in row] for row in rows]
    full = [i for i in range(len(header)) if any(row[i] for row in rows)]
    header = [header[i] for i in full]
    rows = [[row[i] for i in full] for row in rows]
    sortable = len(rows) >= _SORTABLE
    head = "".join(
        f'<th scope="col"><button type="button">{text(name)}</button></th>'
        if sortable
        else f'<th scope="col">{text(name)}</th>'
        for name in header
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{text(name)}"{_alignment(cell)}>'
            f"<span>{_inline(cell)}</span></td>"
            for name, cell in zip(header, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    longest = sum(
        max(map(len, column))
        for column in zip(*rows, [w.split(" ")[0] for w in header], strict=True)
    ) + 2 * len(header)
    kind = next((name for most, name in _WIDTHS if longest <= most), "broad")
    sorts = " data-sortable" * sortable
    return (
        f'<table class="{kind}"{sorts}><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def bars(
    rows: Sequence[Bar], limit: float, caption: str, legend: bool = True
) -> str:
    """Returns a bar chart of text and boxes, which fits any screen.

    Args:
      rows: the bars.
      limit: what a bar of the full width is.
      caption: what is shown.
      legend: whether to name the colours.
    """
    share = lambda x: f"{min(max(100 * x / limit, 0), 100):.2f}%"
    out = []
    for row in rows:
        boxes = "".join(
            f'<i class="c{color}" style="width:{share(size)}"></i>'
            for _, size, color in row.parts
            if size > 0
        )
        if row.interval is not None and all(map(math.isfinite, row.interval)):
            low, high = (min(max(end, 0), limit) for end in row.interval)
            boxes += (
                f'<b style="left:{share(low)};width:{share(high - low)}"></b>'
            )
        out.append(
            f'<div class="row"><div>{text(row.name)}</div>'
            f'<div class="bar" aria-hidden="true">{boxes}</div>'
            f"<div>{text(row.text)}</div></div>"
        )
    names = dict.fromkeys(
        (name, color) for row in rows for name, _, color in row.parts
    )
    keys = "".join(
        f'<li><i class="c{color}" aria-hidden="true"></i>{text(name)}</li>'
        for name, color in names
        if legend and name
    )
    return (
        f'<figure class="bars">{"".join(out)}'
        + (f'<ul class="key">{keys}</ul>' if keys else "")
        + f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def figure(svg: str, alt: str, caption: str = "") -> str:
    """Returns an SVG that stands in the page, with words for it.

    Args:
      svg: its text.
      alt: what it shows, for those who do not see it.
      caption: what is written below; `alt` if empty.
    """
    # The XML prologue has no place inside HTML, and names are the page's.
    own = f"f{zlib.crc32((alt + svg).encode()):08x}-"
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{text(alt)}" ', 1)
    return (
        f"<figure>{svg}<figcaption>{text(caption or alt)}</figcaption></figure>"
    )


def figures(some: Sequence[str]) -> str:
    """Returns figures side by side, as many as the screen has room for."""
    kind = {1: "figures one", 2: "figures two", 4: "figures two"}.get(
        len(some), "figures"
    )
    return f'<div class="{kind}">{"".join(some)}</div>'


def cards(some: Sequence[Sequence[str]]) -> str:
    """Returns groups of parts, side by side where there is room for two."""
    if len(some) == 1:
        return "\n".join(some[0])
    inside = "".join(f"<section>{''.join(one)}</section>" for one in some)
    return f'<div class="cards">{inside}</div>'


def markdown(source: str, folder: Path) -> Iterator[str]:
    """Yields the parts of a report in Markdown, as HTML.

    It knows what reports are made of: headings, paragraphs, lists, tables, code
    and figures, which are read from `folder`.
    """
    for block in re.split(r"\n\s*\n", source.strip()):
        if not block.startswith("|"):
            block = _as_it_was(block)
        lines = block.splitlines()
        if not lines:
            continue
        images = _IMAGE.findall(block)
        if lines[0].startswith("#"):
            marks, _, words = lines[0].partition(" ")
            yield heading(words, max(2, len(marks)))
            if lines[1:]:
                yield from markdown("\n".join(lines[1:]), folder)
        elif images and not _IMAGE.sub("", block).strip():
            drawn = [
                figure((folder / path).read_text(encoding="utf-8"), alt)
                for alt, path in images
                if path.endswith(".svg") and (folder / path).exists()
            ]
            if drawn:
                yield figures(drawn)
        elif lines[0].startswith("```"):
            yield f"<pre>{text(chr(10).join(lines[1:-1]))}</pre>"
        elif lines[0].startswith("|"):
            header, _, *rows = (
                [_as_it_was(x.strip()) for x in _CELL_ENDS.split(line[1:-1])]
                for line in lines
            )
            yield table(header, rows)
        elif lines[0].startswith("- "):
            yield items(part[2:] for part in re.split(r"\n(?=- )", block))
        else:
            yield paragraph(" ".join(lines))


def _as_it_was(words: str) -> str:
    """Undoes `pieces.plain`: a page has its own way to keep names harmless."""
    return words.replace("\\|", "|").replace("&lt;", "<")


def _inline(words: str) -> str:
    out = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text(words))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", out)


def _alignment(cell: str) -> str:
    """Numbers stand on the right."""
    return ' class="number"' if _NUMBER.match(cell) else ""
