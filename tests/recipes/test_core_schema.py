"""Plain scalars mean what YAML 1.2 says, where PyYAML by itself follows 1.1."""

import math

import pytest

from ercframe.recipes.core_schema import resolve
from ercframe.recipes.resolved import dump
from ercframe.recipes.sources import Place
from ercframe.recipes.yaml_tree import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E4", 1e4),
        ("+.5", 0.5),
        ("3.", 3.0),
        ("-12", -12),
        ("010", 10),
        ("0o10", 8),
        ("0xfF", 255),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_what_is_no_text(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_not_a_number():
    assert math.isnan(resolve(".NaN"))


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "1:30", "1_000", "0b1", "2024-01-01", "1e", ".", "-", "nan", "inf", "tRUE", "٣"],
)
def test_what_is_text(text):
    assert resolve(text) == text


def test_thousands_of_digits_are_text_and_no_crash():
    assert resolve("9" * 5000) == "9" * 5000


@pytest.mark.parametrize(
    "text",
    [
        "1e-4",
        "yes",
        "1:30",
        "0o10",
        "010",
        "08",
        "null",
        "~",
        "",
        " a",
        "a: b",
        "# a",
        "a\nb\n",
        "a\n",
        "\n",
        "- a",
        "é…",
        "1.",
        "0x1F",
    ],
)
def test_text_is_written_so_that_it_is_read_as_text_again(text):
    node, findings = parse(dump({"key": text}), Place("x.yaml", 1, 1))
    assert node.plain() == {"key": text}
    assert not findings


@pytest.mark.parametrize("number", [1e-5, 1e-4, 1.0, 0.1, 1e22, 5e-324, -3.0, 0, -7, 2**63])
def test_numbers_are_written_so_that_they_are_read_exactly(number):
    value = parse(dump({"key": number}), Place("x.yaml", 1, 1))[0].plain()["key"]
    assert value == number
    assert type(value) is type(number)
