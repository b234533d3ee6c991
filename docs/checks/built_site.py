"""Looks at the site that `make docs` has built.

    python -m docs.checks.built_site [FOLDER] [--browser=chromium]

Every link, picture and anchor within the site leads somewhere, and no page
fetches anything from elsewhere. With a browser also: no page is wider than its
window, at 1,280 and 390 pixels. Prints what is wrong, and ends with 1 then.
"""

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

WIDTHS = (1280, 390)
_FETCHING = ("script", "img", "link", "iframe", "source", "video")


class Page(HTMLParser):
    """The anchors of a page, its links, and what it fetches."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Notes what an element points to."""
        found = dict(attrs)
        for key in ("id", "name"):
            if found.get(key):
                self.anchors.add(found[key])
        address = found.get("href") or found.get("src")
        if not address or address.startswith(("data:", "mailto:")):
            return
        if "://" not in address:
            self.links.append(address)
        elif tag in _FETCHING and found.get("rel") != "canonical":
            self.fetched.append(address)


def broken(folder: Path) -> list[str]:
    """What leads nowhere, and what is fetched from elsewhere."""
    pages = {path.resolve(): Page(path) for path in folder.rglob("*.html")}
    wrong = []
    for path, page in pages.items():
        where = path.relative_to(folder.resolve())
        wrong += [f"{where}: fetches {address}" for address in page.fetched]
        if path.name == "404.html":  # its links begin at the server's root
            continue
        for link in page.links:
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                wrong.append(f"{where}: no {link}")
            elif (
                anchor
                and target in pages
                and unquote(anchor) not in pages[target].anchors
            ):
                wrong.append(f"{where}: no anchor {link}")
    return wrong


def too_wide(folder: Path, browser: str) -> list[str]:
    """Pages that scroll sideways, by loading each in a frame."""
    names = [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*.html"))
        if path.name != "404.html"
    ]
    script = f"""
      const names = {json.dumps(names)}, widths = {json.dumps(WIDTHS)};
      async function main() {{
        const wrong = [];
        for (const width of widths) for (const name of names) {{
          const frame = document.createElement("iframe");
          frame.style = `width:${{width}}px;height:800px;border:0`;
          frame.src = {json.dumps(folder.resolve().as_uri())} + "/" + name;
          const loaded = new Promise(done => frame.onload = done);
          document.body.append(frame);
          await loaded;
          await new Promise(done => setTimeout(done, 150));
          const wide = frame.contentDocument.documentElement.scrollWidth;
          if (wide > width) wrong.push(`${{name}}: ${{wide}} of ${{width}} px`);
          frame.remove();
        }}
        document.body.innerHTML = "";
        const pre = document.createElement("pre");
        pre.id = "wrong";
        pre.textContent = JSON.stringify(wrong);
        document.body.append(pre);
      }}
      main();
    """
    with tempfile.TemporaryDirectory() as scratch:
        harness = Path(scratch) / "frames.html"
        harness.write_text(
            f"<!DOCTYPE html><body><script>{script}</script>", encoding="utf-8"
        )
        seen = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--allow-file-access-from-files",
                f"--user-data-dir={scratch}/profile",
                "--virtual-time-budget=120000",
                "--dump-dom",
                harness.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = re.search(r'<pre id="wrong">(.*?)</pre>', seen, re.DOTALL)
    if found is None:
        return ["the browser did not finish"]
    return json.loads(html.unescape(found[1]))


def main() -> int:
    """Runs the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("site"))
    parser.add_argument("--browser", default="")
    flags = parser.parse_args()
    wrong = broken(flags.folder)
    if flags.browser:
        wrong += too_wide(flags.folder, flags.browser)
    print("\n".join(wrong) or "nothing is wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
