"""The site's structure, without building it."""

import html
import re
from pathlib import Path

import pytest

import arm_jax
import bounds
from docs import drawings

DOCS = Path(__file__).parents[2] / "docs"
CONFIG = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
NAV = re.findall(r"([\w/]+\.md)", CONFIG[CONFIG.index("\nnav:") :])
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def words(path):
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path):
    """Anchors of a page's headings, by the rule of Markdown's extension toc."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", words(path), re.MULTILINE):
        heading = re.sub(r"[^\w\s-]", "", html.unescape(heading)).strip()
        found.add(re.sub(r"[-\s]+", "-", heading.lower()))
    return found


def test_each_page_is_in_the_navigation_once():
    there = {path.relative_to(DOCS).as_posix() for path in PAGES}
    there |= {
        path.relative_to(DOCS).with_suffix(".md").as_posix()
        for path in DOCS.rglob("*.ipynb")
    }
    assert sorted(NAV) == sorted(there)


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix()
)
def test_links_lead_somewhere(page):
    for link in LINK.findall(words(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link
    for name in re.findall(r"`docs/([\w/]+\.md)`", words(page)):
        assert (DOCS / name).exists(), name


@pytest.mark.parametrize("package", [arm_jax, bounds])
def test_the_reference_has_every_public_name(package):
    name = package.__name__
    text = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^::: {name}\.(\w+)$", text, re.MULTILINE)
    assert sorted(listed) == dir(package)


def test_drawings_are_those_of_the_script():
    made = {f"{draw.__name__}.svg": draw().svg() for draw in drawings.DRAWINGS}
    stored = {
        path.name: path.read_text(encoding="utf-8")
        for path in drawings.FOLDER.iterdir()
    }
    assert stored == made
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"drawings/(\w+\.svg)\)", words(page))
    }
    assert shown == set(made)
