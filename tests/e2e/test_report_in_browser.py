"""The report in a real browser: what it shows at both widths and in both themes, by keyboard and on paper."""

import json

import pytest
from browser import Browser
from reporting import train

from ercframe.cli.app import run_app

pytestmark = pytest.mark.slow

WIDTHS = (380, 1600)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with everything a report can show, long words and long texts among it."""
    run = train(tmp_path_factory.mktemp("reported"))
    for path in run.glob("seed-*/predictions.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for i, row in enumerate(rows):
            row["text"] = ("word " * 60 if i % 2 else "w" * 300) + "<b>not bold</b>"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_app(["eval", str(run), "--robustness", "--context"]) == 0
    assert run_app(["report", str(run)]) == 0
    return run


@pytest.fixture(scope="module")
def pages(run, tmp_path_factory):
    other = train(tmp_path_factory.mktemp("other"), "a_rather_long_name_of_a_recipe", protocol={"seeds": 1})
    several = tmp_path_factory.mktemp("several") / "several.html"
    assert run_app(["report", str(run), str(other), "--out", str(several)]) == 0
    return {"one": run / "report.html", "several": several}


EMPTY = """[...document.querySelectorAll("figure")].filter(figure => {
    for (let at = figure; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const svg = figure.querySelector("svg"), box = svg && svg.getBBox();
    return !(box && box.width > 50 && box.height > 20 && svg.querySelector("title").textContent
        && svg.querySelector("desc").textContent);
}).map(figure => figure.id)"""
OUTSIDE = """[...document.querySelectorAll("svg")].filter(svg => {
    const drawn = svg.getBBox(), view = svg.viewBox.baseVal;
    return drawn.x < -1 || drawn.y < -1 || drawn.x + drawn.width > view.width + 1
        || drawn.y + drawn.height > view.height + 1;
}).map(svg => svg.parentElement.parentElement.id)"""


@pytest.mark.parametrize("which", ["one", "several"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_says_nothing_on_the_console(browser, pages, which, width, dark):
    browser.open(pages[which], width, dark)
    assert browser.run(EMPTY) == []
    assert browser.run(OUTSIDE) == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.console == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [pages[which].as_uri()]


def test_every_part_of_an_evaluation_is_drawn(browser, pages):
    browser.open(pages["one"], 1600)
    drawn = browser.run("[...document.querySelectorAll('figure')].map(figure => figure.id.slice(7))")
    expected = {"reliability-0", "reliability-1", "context-score", "context-flips", "slices-0"}
    assert expected | {"robustness-hidden", "robustness-noise"} <= set(drawn)


CONTRAST = """(() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(x => x / 255)
            .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const worst = [...document.querySelectorAll("p, h1, h2, td, th, caption, figcaption, summary, a, span")]
        .filter(one => one.getClientRects().length)
        .map(one => light(getComputedStyle(one).color))
        .map(ink => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
    return Math.min(...worst);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_the_paper(browser, pages, dark):
    browser.open(pages["one"], 1600, dark)
    assert browser.run(CONTRAST) >= 4.5


def test_the_keyboard_reaches_the_theme_the_sections_and_what_is_folded(browser, pages):
    browser.open(pages["one"], 1600)
    background = "getComputedStyle(document.body).backgroundColor"
    focused = "document.activeElement.textContent"
    before = browser.run(background)
    browser.press("Tab", 9)
    assert browser.run(focused) == "To the result"
    browser.press("Tab", 9)
    assert browser.run(focused) == "Dark"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter", 13)
    assert browser.run(background) != before
    assert browser.run(focused) == "Light"
    reached = []
    for _ in range(400):
        browser.press("Tab", 9)
        reached.append(browser.run("document.activeElement.tagName"))
        if reached[-1] == "BODY":
            break
    assert {"A", "SUMMARY", "DIV"} <= set(reached)  # links, what is folded, tables that scroll
    browser.run("document.querySelector('.dialogue:not([open]) summary').focus()")
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.parentElement.open")


def test_on_paper_everything_is_there_on_white(browser, pages):
    browser.open(pages["one"], 1600, dark=True)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("[...document.querySelectorAll('details')].every(one => one.open)")
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") > 3
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.send("Emulation.setEmulatedMedia", media="")
    assert browser.pdf().startswith(b"%PDF")
