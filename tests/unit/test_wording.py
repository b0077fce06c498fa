"""How messages are worded."""

from ercframe.wording import harmless


def test_codes_that_steer_a_terminal_are_written_out():
    assert harmless("a\x1b[31mred\x07\x00 \x9b2J") == "a\\x1b[31mred\\x07\\x00 \\x9b2J"
    assert harmless("Ann\u202ebob\u2066") == "Ann\\u202ebob\\u2066"


def test_words_of_any_script_lines_and_emoji_stay():
    text = "Zoë محمد שלום می\u200cخواهم 李😀 👨\u200d👩\n\ttab"
    assert harmless(text) == text
