// What the theme leaves without a name or out of the keyboard's reach.
function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const [id, name] of [["__search", "Search"], ["__drawer", "Menu"]])
    document.getElementById(id)?.setAttribute("aria-label", name);
  document.querySelectorAll(".md-code__nav").forEach((nav, number) =>
    nav.setAttribute("aria-label", `Code ${number + 1}`));
  // Wide tables scroll in a frame that the theme puts around them.
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((frame, number) => {
    if (frame.scrollWidth <= frame.clientWidth) return;
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", `Table ${number + 1}`);
  });
  document.querySelectorAll(".md-typeset pre > code").forEach(code => {
    if (code.scrollWidth > code.clientWidth) code.tabIndex = 0;
  });
}
addEventListener("load", () => { mend(); setTimeout(mend, 100); });
addEventListener("resize", mend);
