import html
import re

import pytest

from arm_jax.reports import answers, page
from arm_jax.reports.pieces import Gain, markdown_table, plain


def test_a_report_in_markdown_becomes_a_page(tmp_path):
    (tmp_path / "a.svg").write_text(
        '<?xml version="1.0"?>\n<svg width="1"><defs><path id="m"/></defs>'
        '<use href="#m"/></svg>',
        encoding="utf-8",
    )
    source = (
        "# Title <b>\n\nSome **bold** & `code`\nmore.\n\n- one\n- two\n\n"
        "| pair | R | none |\n|---|--:|---|\n| a & b | 1.5 |  |\n\n"
        "![first](a.svg)\n![second](a.svg)\n\n![gone](b.svg)\n\n"
        "```\nx < y\n```\n"
    )
    whole = page.of_markdown(source, tmp_path, ["The **answer**."])
    assert "<h1>Title &lt;b&gt;</h1>" in whole
    assert whole.index("The <strong>answer</strong>") < whole.index("Some")
    assert (
        "<p>Some <strong>bold</strong> &amp; <code>code</code> more.</p>"
        in (whole)
    )
    assert "<ul><li>one</li><li>two</li></ul>" in whole
    # A column that is empty is not shown; a phone names the others.
    assert '<td data-name="R" class="number"><span>1.5</span></td>' in whole
    assert "none" not in re.sub("<style>.*</style>", "", whole, flags=re.DOTALL)
    # Figures stand in the page, with words and names of their own.
    assert whole.count('<svg role="img" aria-label="') == 2
    one, two = re.findall(r'<path id="(f\w+-m)"', whole)
    assert one != two
    assert page.of_markdown(source, tmp_path, ["The **answer**."]) == whole
    assert f'href="#{two}"' in whole
    assert "<?xml" not in whole
    assert "gone" not in whole
    assert "<pre>x &lt; y</pre>" in whole
    # Short tables need no script.
    assert "<script" not in whole


@pytest.mark.parametrize("name", ["a|b", "<b>x</b>", "a]b", "[a](b)", "p < 1"])
def test_names_are_on_the_page_as_they_are(name, tmp_path):
    (tmp_path / "a.svg").write_text("<svg ></svg>", encoding="utf-8")
    shown = plain(name)
    source = (
        f"# On {shown}\n\nOf {shown}.\n\n- {shown}: it\n\n"
        f"{markdown_table(['method', name], [[name, '1.5']])}\n\n"
        f"![Alone ({name}) here](a.svg)\n![other](a.svg)\n"
    )
    whole = page.of_markdown(source, tmp_path, [])
    right = html.escape(name)
    assert f"<h1>On {right}</h1>" in whole
    assert f"<p>Of {right}.</p>" in whole
    assert f"<li>{right}: it</li>" in whole
    assert f'<th scope="col">{right}</th>' in whole
    assert f"<span>{right}</span></td>" in whole
    assert f'<td data-name="{right}" class="number"><span>1.5' in whole
    assert f'aria-label="Alone ({right}) here"' in whole
    assert whole.count('<svg role="img"') == 2


def test_long_tables_are_sorted_by_a_script_of_the_page():
    whole = page.page("t", [], [page.table(["a"], [[i] for i in range(8)])])
    assert "data-sortable>" in whole
    assert '<th scope="col"><button type="button">a</button></th>' in whole
    assert "<script>" in whole
    assert "src=" not in whole


def test_bars_stay_inside_and_leave_out_what_is_not_there():
    bar = page.Bar("x", [("p", 2.0, 0), ("q", -1.0, 1)], "2", (1.5, 9.0))
    nothing = page.Bar(
        "y", [("p", float("nan"), 0)], "nan", (0.0, float("nan"))
    )
    drawn = page.bars([bar, nothing], 4.0, "caption")
    assert 'class="c0" style="width:50.00%"' in drawn
    assert 'left:37.50%;width:62.50%"' in drawn
    assert "nan%" not in drawn
    assert drawn.count('class="c0" style') == 1


def pair(family, text, modality=""):
    advice = {"family": family, "text": text, "modality": modality}
    return {
        "first": "image", "second": "text", "plain": True,
        "recommendation": advice,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (pair("one", "", "image"), "Image alone is enough to tell the label"),
        (pair("agreement", ""), "Image and text say the same about the label"),
        (pair("additive", ""), "both needed, and it is enough to combine"),
        (pair("interaction", ""), "in one model that sees both at once"),
        (pair("none", ""), "Image and text tell too little"),
        (
            pair("", "undecided: one modality alone: image, but not with other "
                 "symbols"),
            "90 samples do not settle what to do with image and text: the "
            "answer changes with the number of values",
        ),
    ],
)  # fmt: skip
def test_answers_need_no_knowledge_of_the_field(one, sentence):
    results = {"pairs": {"image & text": one}, "samples": 90}
    said = answers.of_interactions(results)
    assert sentence in said
    assert said.endswith(".")
    assert "redundancy" not in said


def test_the_answer_on_several_pairs_is_one_sentence():
    both = pair("additive", "")
    other = {**pair("one", "", "image"), "second": "sound"}
    last = {**pair("one", "", "text"), "first": "text", "second": "sound"}
    results = {
        "pairs": {"1": both, "2": other, "3": last}, "samples": 90,
        "modalities": ["image", "sound", "text"],
    }  # fmt: skip
    said = answers.of_interactions(results)
    assert said.count(".") == 1
    assert "text and sound need text alone" in said
    results["pairs"]["1"] = pair("one", "", "image")
    said = answers.of_interactions(results)
    assert said.startswith("Image alone is enough to tell the label")


def test_a_comparison_says_what_is_sure():
    unsure = answers.of_comparison({"arm": Gain(1.0, -0.5, 2.5, 0.1)}, "joint")
    assert (
        "No method is surely better than joint: the best, arm, is at +1.0"
        in (unsure)
    )
    good, bad = Gain(1.0, 0.5, 1.5, 0.01), Gain(-1.0, -2.0, -0.5, 0.04)
    sure = answers.of_comparison({"arm": good, "agm": bad}, "joint")
    assert sure.startswith(
        "arm does best, +1.0 points of accuracy against joint"
    )
    assert answers.of_comparison({}, "joint").startswith("There is nothing yet")


def test_what_is_sure_need_not_be_what_is_best_in_the_mean():
    said = answers.of_comparison(
        {"arm": Gain(1.5, 1.0, 2.0, 1e-3), "mla": Gain(2.0, -1.0, 5.0, 0.2)},
        "joint",
    )
    assert said.startswith("arm is surely better, +1.5 points of accuracy")
    assert "the lead of mla, +2.0 points, may be chance" in said
    assert "No method" not in said


def test_of_many_comparisons_some_look_sure_by_chance():
    lucky = Gain(1.0, 0.1, 1.9, 0.04)
    alone = answers.of_comparison({"arm": lucky}, "joint")
    assert alone.startswith("arm does best")
    others = {str(k): Gain(0.0, -1.0, 1.0, 1.0) for k in range(5)}
    said = answers.of_comparison({"arm": lucky} | others, "joint")
    assert said.startswith("No method is surely better than joint: the best")


def test_a_method_without_a_finite_score_is_not_the_best():
    nothing = Gain(*[float("nan")] * 4)
    gains = {"agm": nothing, "arm": Gain(1.0, 0.5, 1.5, 0.01)}
    assert answers.of_comparison(gains, "joint").startswith("arm does best")
    said = answers.of_comparison({"agm": nothing}, "joint")
    assert said.startswith("There is nothing yet")
