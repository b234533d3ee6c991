"""What the site's build does beyond Markdown; named in mkdocs.yml.

Formulas, between dollars as on GitHub, become MathML, and drawings are put into
the page, so that nothing is fetched and both take the page's colours. Notebooks
become pages. What a page says of another one, `docs/NAME.md`, becomes a link.
"""

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import latex2mathml.converter
from mkdocs.structure.files import File

_DOCS = Path(__file__).resolve().parent.parent
_FORMULA = re.compile(
    r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>',
    re.DOTALL,
)
_DRAWING = re.compile(
    r'<img alt="([^"]*)" src="[^"]*drawings/(\w+)\.svg"[^>]*?/?>'
)
_NAMED = re.compile(r"(?<![\w/\[`])`?docs/([\w/]+\.md)(#[\w-]+)?`?(?!\])")
# Links, not pictures, that go up.
_UP = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#]*)(#[^)]*)?\)")
_NOTEBOOK = re.compile(r"\]\(([\w./]+)\.ipynb\)")
_FENCE = re.compile(r"^(```.*?^```)", re.DOTALL | re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Adds a page, and its pictures, for each notebook."""
    for file in [f for f in files if f.src_uri.endswith(".ipynb")]:
        name = file.src_uri.removesuffix(".ipynb")
        text, pictures = notebook(Path(file.abs_src_path))
        files.append(File.generated(config, f"{name}.md", content=text))
        for number, picture in enumerate(pictures):
            files.append(
                File.generated(config, f"{name}_{number}.png", content=picture)
            )
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Makes links of names of pages, and text of links out of docs/.

    Links to notebooks lead to their pages.
    """
    here = Path(page.file.src_uri).parent

    def text(match: re.Match[str]) -> str:
        inside = (_DOCS / here / match[2]).resolve().is_relative_to(_DOCS)
        words = match[1].replace("\\", "")
        return match[0] if inside else f"`{words}`"

    def link(match: re.Match[str]) -> str:
        name, anchor = match[1], match[2] or ""
        other = files.get_file_from_path(name)
        if other is None or other is page.file:
            return match[0]
        up = "../" * len(here.parts)
        return f"[{Path(name).stem}]({up}{name}{anchor})"

    parts = _FENCE.split(markdown)
    for i in range(0, len(parts), 2):
        part = _NOTEBOOK.sub(r"](\1.md)", parts[i])
        parts[i] = _NAMED.sub(link, _UP.sub(text, part))
    return "".join(parts)


def on_page_content(html_text: str, **_: Any) -> str:
    """Puts formulas and drawings into the page."""

    def formula(match: re.Match[str]) -> str:
        display = "block" if match[1] == "div" else "inline"
        return latex2mathml.converter.convert(
            html.unescape(match[2]), display=display
        )

    def drawing(match: re.Match[str]) -> str:
        file = _DOCS / "drawings" / f"{match[2]}.svg"
        svg = file.read_text(encoding="utf-8")
        svg = svg.replace(
            "<svg ", f'<svg role="img" aria-label="{match[1]}" ', 1
        )
        return f'<figure class="drawing">{svg}</figure>'

    return _DRAWING.sub(drawing, _FORMULA.sub(formula, html_text))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Takes the script that the theme would fetch for one of our own."""
    up = "../" * (len(Path(page.file.dest_uri).parts) - 1)
    return output.replace(
        "https://unpkg.com/iframe-worker/shim", f"{up}site/worker.js"
    )


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    """The same for the page that a server shows where there is none."""
    return output_content.replace(
        "https://unpkg.com/iframe-worker/shim", "/site/worker.js"
    )


def notebook(path: Path) -> tuple[str, list[bytes]]:
    """Returns a notebook as Markdown, and its pictures in order."""
    lines: list[str] = []
    pictures: list[bytes] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            if "text" in output:
                text = "".join(output["text"]).rstrip()
                lines += ["``` { .text .output }", text, "```", ""]
                continue
            image = output["data"].get("image/png")
            if image is None:
                continue
            alt = output["metadata"].get("alt", "figure")
            lines += [f"![{alt}]({path.stem}_{len(pictures)}.png)", ""]
            pictures.append(base64.b64decode(image))
    lines += [f'<a href="{path.name}" download>The notebook</a>']
    return "\n".join(lines), pictures
