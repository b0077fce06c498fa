"""Drawings: round numbers on the axes, nothing off the paper, the same bytes, words escaped."""

import xml.etree.ElementTree as ElementTree

import pytest

from ercframe.drawing import Canvas, class_colour
from ercframe.drawing.axes import Frame, around, ticks
from ercframe.drawing.canvas import shortened
from ercframe.drawing.pdf import write_pdf
from ercframe.drawing.svg import svg_file, svg_in_page


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 25, 50, 75, 100]),
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (1, 8, [2, 4, 6, 8]),
        (0.31, 0.33, [0.31, 0.315, 0.32, 0.325, 0.33]),
        (-3, 3, [-2, 0, 2]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round_and_inside(low, high, expected):
    assert ticks(low, high, 4) == expected


def test_a_frame_places_the_ends_at_its_edges_and_a_constant_in_the_middle():
    frame = Frame(Canvas(), 10, 20, 100, 50, x=(0, 4), y=(3, 3))
    assert frame.at(0, 3) == (10, 45)
    assert frame.at(4, 3) == (110, 45)


def test_room_around_numbers_that_are_equal_or_absent():
    low, high = around([0.0, 0.0])
    assert low < 0 < high
    assert around([]) == (0.0, 1.0)


def test_a_legend_that_is_too_wide_goes_on_in_the_next_line():
    canvas = Canvas(200)
    short, long = canvas.legend([("one", "k0")], 0), canvas.legend([("a long name", "k0")] * 4, 0)
    assert long > short
    assert all(mark.x < 200 for mark in canvas.marks)


def drawing() -> Canvas:
    canvas = Canvas(100)
    canvas.box(1, 1, 20, 10, "k0", opacity=0.5, told="<b> & \x01")
    canvas.line([(0, 0), (50, 20)], "ink", dashed=True)
    canvas.dots([(3, 3), (4.123456, 5)], "k1", square=True)
    canvas.dots([], "k1")
    canvas.words(5, 30, "</text><script>$x_1$", turned=True, bold=True)
    return canvas


def test_a_file_is_sound_xml_with_its_words_as_words():
    root = ElementTree.fromstring(svg_file(drawing(), "a < b", "what & how"))
    name = "{http://www.w3.org/2000/svg}"
    assert [one.text for one in root.iter(f"{name}text")] == ["</text><script>$x_1$"]
    assert [one.text for one in root.iter(f"{name}title")] == ["a < b", "<b> & \N{REPLACEMENT CHARACTER}"]
    assert root.find(f"{name}desc").text == "what & how"
    assert "M3 3h0M4.12 5h0" in [one.get("d") for one in root.iter(f"{name}path")]


def test_in_a_page_colours_are_the_pages():
    drawn = svg_in_page(drawing(), "it", "title", "description")
    assert "var(--k0)" in drawn
    assert "#" not in drawn
    assert 'aria-labelledby="it-title it-desc"' in drawn


def test_a_pdf_is_the_same_every_time(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        write_pdf(drawing(), tmp_path / name, "title")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_after_eight_series_colours_begin_again_and_words_are_cut():
    assert class_colour(8) == class_colour(0) != class_colour(7)
    assert shortened("frustrated", 6) == "frust…"
    assert shortened("sad", 6) == "sad"
