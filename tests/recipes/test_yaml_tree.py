"""Values know where they stand, and nothing in a file can blow up."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ercframe import InputError
from ercframe.recipes.resolved import dump
from ercframe.recipes.sources import COMMAND_LINE, Place
from ercframe.recipes.yaml_tree import DEEPEST, MOST_VALUES, parse

FILE = Place("mine.yaml", 1, 1)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def test_keys_and_values_have_places_counted_from_one():
    root, _ = parse("# é\na:\n  b: [1, 2]\n", FILE)
    b = root.children["a"].children["b"]
    assert str(b.key_place) == "mine.yaml:3:3"
    assert str(b.place) == "mine.yaml:3:6"
    assert str(b.value[1].place) == "mine.yaml:3:10"


def test_on_the_command_line_everything_has_the_same_place():
    root, _ = parse("{a: [1]}", COMMAND_LINE)
    assert root.children["a"].value[0].place == COMMAND_LINE


@given(st.dictionaries(st.text(), TREES, max_size=3))
def test_what_is_written_is_read_again(tree):
    root, findings = parse(dump(tree), FILE)
    assert root.plain() == tree
    assert not findings


def test_a_merge_key_is_refused_and_the_same_text_in_quotes_is_a_key():
    assert "no merge keys" in str(parse("a: &x {b: 1}\nc: {<<: *x}\n", FILE)[1])
    root, findings = parse(dump({"<<": 1}), FILE)
    assert (root.plain(), findings) == ({"<<": 1}, [])


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text):
    with suppress(InputError):
        parse(text, FILE)


def test_an_alias_is_what_it_names():
    root, findings = parse("a: &x {b: 1}\nc: *x\n", FILE)
    assert root.plain() == {"a": {"b": 1}, "c": {"b": 1}}
    assert not findings


def test_aliases_that_multiply_are_refused_before_they_do():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    with pytest.raises(InputError, match=f"must not hold more than {MOST_VALUES} values, aliases expanded"):
        parse("\n".join(lines), FILE)


def test_deep_nesting_is_refused():
    with pytest.raises(InputError, match=f"must not be nested more than {DEEPEST} levels deep"):
        parse("[" * 5000 + "]" * 5000, FILE)


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(InputError, match="half of a surrogate pair"):
        parse(r'a: "\ud800"', FILE)


def test_every_duplicate_is_found_and_the_first_is_kept():
    root, findings = parse("a: 1\nb: 2\na: 3\nb: 4\n", FILE)
    assert [(f.key, str(f.place)) for f in findings] == [("a", "mine.yaml:3:1"), ("b", "mine.yaml:4:1")]
    assert root.plain() == {"a": 1, "b": 2}


def test_a_byte_order_mark_is_no_content(folder):
    from ercframe.recipes.files import read_text

    (folder / "mine.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert parse(read_text(folder / "mine.yaml"), FILE)[0].plain() == {"a": 1, "b": 2}
