"""The looks of pages, and the few lines of script that sort tables."""

from arm_jax.reports.pieces import COLORS

_BOXES = "\n".join(
    f".c{i} {{ background: {'var(--ink)' if i == 6 else color}; }}"
    for i, color in enumerate(COLORS)
)
STYLE = (
    """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff;
  --quiet: #555; --line: #d5d8dc; --tint: #eaf3fa; --rest: #e3e6e9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --paper: #15181c; --quiet: #b0b6bd; --line: #3c4249;
    --tint: #1c2b39; --rest: #2b3036; }
}
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); max-width: 76rem; margin: 0 auto;
  padding: 0 1rem 3rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; border-top: 1px solid var(--line); margin-top: 2rem;
  padding-top: 1rem; }
h3 { font-size: 1.05rem; }
p, li { max-width: 48rem; }
pre { white-space: pre-wrap; }
.answer { background: var(--tint); border-left: .3rem solid #0072B2;
  border-radius: .3rem; padding: .2rem 1rem; font-size: 1.15rem; }
figure { margin: 1rem 0; min-width: 0; }
figure > svg { display: block; width: 100%; height: auto; }
figcaption { font-size: .85rem; color: var(--quiet); max-width: 48rem; }
.figures { display: grid; gap: 0 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
.cards { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.answer p { max-width: 62rem; }
@media (min-width: 60rem) {
  .figures.one figure { display: grid; gap: 1.5rem; align-items: center;
    grid-template-columns: 3fr 2fr; }
  .figures.two { grid-template-columns: 1fr 1fr; }
}
.bars .row { display: grid; gap: .1rem 1rem; align-items: center;
  grid-template-columns: minmax(6rem, 12rem) 1fr minmax(6rem, 20rem);
  margin: .4rem 0; }
.bar { position: relative; display: flex; height: 1.5rem;
  background: var(--rest); border-radius: .2rem; overflow: hidden; }
.bar i { display: block; height: 100%; border-right: 2px solid var(--paper); }
.bar b { position: absolute; top: calc(50% - 1.5px); height: 3px;
  min-width: 2px; background: var(--ink); }
.key { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; padding: 0;
  list-style: none; }
.key i { display: inline-block; width: .9rem; height: .9rem;
  border-radius: .15rem; margin-right: .4rem; vertical-align: -.1rem; }
@media (max-width: 48rem) { .bars .row { grid-template-columns: 1fr; } }
table { border-collapse: collapse; font-size: .88rem; margin: 1rem 0; }
td, th { padding: .25rem .7rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: bottom; }
td { vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; }
th button { font: inherit; color: inherit; background: none; border: 0;
  padding: 0; text-align: left; cursor: pointer;
  text-decoration: underline dotted; text-underline-offset: .2em; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
"""
    + "".join(
        f"""@media screen and (max-width: {width}) {{
  .{kind} thead {{ display: none; }}
  .{kind}, .{kind} tbody, .{kind} tr {{ display: block; }}
  .{kind} tr {{ padding: .5rem 0; border-bottom: 1px solid var(--line); }}
  .{kind} td {{ display: flex; justify-content: space-between; gap: 1rem;
    border: 0; padding: .1rem 0; max-width: 34rem; }}
  .{kind} td::before {{ content: attr(data-name); color: var(--quiet); }}
  .{kind} td span {{ text-align: right; }}
  .{kind} td:first-child {{ font-weight: bold; }}
  .{kind} td:first-child::before {{ content: none; }}
  .{kind} td:has(span:empty) {{ display: none; }}
}}
"""
        for kind, width in (
            ("narrow", "22rem"),
            ("middle", "48rem"),
            ("broad", "72rem"),
        )
    )
    + """@page { margin: 14mm; }
@media print {
  :root { --ink: #000; --paper: #fff; --quiet: #444; --line: #bbb;
    --tint: #fff; --rest: #eee; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  .bar, .bar i, .bar b, .key i { print-color-adjust: exact; }
  table { font-size: 8pt; }
  td, th { padding: .15rem .35rem; }
  .figures { grid-template-columns: 1fr 1fr; }
}
"""
    + _BOXES
)
SCRIPT = """<script>
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, i) => {
    const words = row.cells[i].textContent.trim();
    const number = parseFloat(words.replace(/,/g, ""));
    return Number.isNaN(number) ? words : number;
  };
  heads.forEach((head, i) => head.querySelector("button").onclick = () => {
    const up = head.getAttribute("aria-sort") === "descending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const order = (a, b) => typeof a === typeof b
      ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1;
    [...body.rows]
      .sort((a, b) => (up ? 1 : -1) * order(value(a, i), value(b, i)))
      .forEach(row => body.append(row));
  });
}
</script>"""
FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}
</style>
</head>
<body>
<main>
{body}
</main>
{script}
</body>
</html>
"""
