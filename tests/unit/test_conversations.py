"""Files of conversations: what is read, that schema and reader agree, and what is said of a file that is wrong."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ercframe import InputError, dialogue_records, parse_turn, read_conversations
from ercframe.data.turn import conversation_schema

ANN = {"speaker": "Ann", "text": "Hello."}


def _file(folder: Path, *lines: dict[str, Any] | str, name: str = "talk.jsonl") -> Path:
    path = folder / name
    text = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_bytes("\n".join(text).encode())
    return path


def _problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_conversations(path)
    assert (
        caught.value.title == f"{len(caught.value.problems)} problem{'s' * (len(caught.value.problems) > 1)} in {path}"
    )
    return [" ".join(filter(None, (p.where, p.what, p.message))) for p in caught.value.problems]


def test_a_speaker_is_all_that_a_line_needs(tmp_path: Path) -> None:
    (talk,) = read_conversations(_file(tmp_path, {"speaker": "Ann"}, {"speaker": "Bob", "text": "Hm?"}))
    assert (talk.id, talk.split, talk.group, talk.lines) == ("talk", None, "", (1, 2))
    assert [(t.id, t.speaker, t.text, t.label) for t in talk.turns] == [
        ("talk_0", "Ann", "", None),
        ("talk_1", "Bob", "Hm?", None),
    ]


def test_everything_that_a_line_may_hold(tmp_path: Path) -> None:
    full = ANN | {
        "dialogue": "d1",
        "id": "first",
        "split": "valid",
        "group": "monday",
        "label": "joy",
        "start": 0.5,
        "end": 2,
        "media": {"audio": "clips/a.wav"},
        "targets": {"va": [0.5, None]},
    }
    one, two = read_conversations(_file(tmp_path, full, ANN | {"dialogue": "d2"}))
    assert (one.id, one.split, one.group) == ("d1", "dev", "monday")
    assert (two.id, two.split) == ("d2", None)
    first, second = (u for d in dialogue_records([one, two], ["anger", "joy"]) for u in d.utterances)
    assert (first.id, first.label, first.start, first.end) == ("first", 1, 0.5, 2.0)
    assert (dict(first.media), first.targets["va"][0]) == ({"audio": "clips/a.wav"}, 0.5)
    assert (second.id, second.label, second.start) == ("d2_0", -1, None)
    assert all(v != v for v in (first.targets["va"][1], *second.targets["va"])), "NaN where unknown"


def test_dialogues_may_be_interleaved(tmp_path: Path) -> None:
    names = "abaab"
    found = read_conversations(_file(tmp_path, *(ANN | {"dialogue": name} for name in names)))
    assert {c.id: c.lines for c in found} == {"a": (1, 3, 4), "b": (2, 5)}


def test_a_byte_order_mark_windows_lines_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ANN).encode() + b"\r\n\r\n" + json.dumps(ANN).encode() + b"\r\n")
    (talk,) = read_conversations(path)
    assert talk.lines == (1, 3)


def test_a_line_separator_in_the_text_is_no_end_of_line(tmp_path: Path) -> None:
    (talk,) = read_conversations(_file(tmp_path, {"speaker": "Ann", "text": "one\u2028two"}))
    assert talk.turns[0].text == "one\u2028two"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({}, "1 speaker must be given"),
        ({"speaker": 3}, "1 speaker must be a valid string (got 3)"),
        (ANN | {"txt": "Hi"}, "1 txt unknown key; did you mean 'text'?"),
        (
            ANN | {"split": "tset"},
            "1 split must be 'train', 'dev', 'valid', 'validation', 'val' or 'test' (got 'tset')",
        ),
        (ANN | {"start": -1}, "1 start must be greater than or equal to 0 (got -1)"),
        (ANN | {"start": 2, "end": 1}, "1 end must be at least start (got 2 to 1)"),
        (ANN | {"start": "00:01"}, "1 start must be a valid number (got '00:01')"),
        (ANN | {"targets": {"va": [0, "high"]}}, "1 targets.va.1 must be a valid number (got 'high')"),
        (
            ANN | {"media": {"audio": "/home/a.wav"}},
            "1 media.audio must be a path below the folder of the file (got '/home/a.wav')",
        ),
        (
            ANN | {"media": {"video": "../a.mp4"}},
            "1 media.video must be a path below the folder of the file (got '../a.mp4')",
        ),
        (ANN | {"media": {"vido": "a.mp4"}}, "1 media.vido unknown key; did you mean 'video'?"),
        ('{"speaker": "Ann"', "1 must be JSON: Expecting ',' delimiter at column 18"),
        ('{"speaker": "Ann", "start": NaN}', "1 must be JSON, which has no NaN; use null for what is not known"),
        ('{"speaker": "Ann", "speaker": "Bob"}', "1 must have a key once (got 'speaker' again)"),
        ('["Ann"]', '1 must be a mapping such as {"speaker": "Ann"} (got ["Ann"])'),
        ("[" * 100_000, "1 must be JSON that is not nested so deeply"),
        ("Ann: hello", "1 must be JSON: Expecting value at column 1"),
    ],
)
def test_a_line_that_is_wrong(tmp_path: Path, line: dict[str, Any] | str, problem: str) -> None:
    assert _problems(_file(tmp_path, line)) == [f"talk.jsonl:{problem}"]


def test_another_kind_of_file_is_told_once(tmp_path: Path) -> None:
    path = _file(tmp_path, "speaker,text", "Ann,Hello", "Bob,Hm.", name="talk.csv")
    (problem,) = _problems(path)
    assert "must hold JSON, an utterance a line" in problem
    assert problem.endswith("(got no line that is JSON)")


def test_a_path_may_be_text(tmp_path: Path) -> None:
    assert len(read_conversations(str(_file(tmp_path, {"speaker": "Ann"})))) == 1


def test_everything_wrong_at_once_with_its_line(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        ANN | {"id": "a", "split": "train", "group": "g", "targets": {"va": [1, 2]}},
        ANN | {"id": "a", "split": "test", "group": "h", "targets": {"va": [1]}},
        "",
        "nonsense",
    )
    assert _problems(path) == [
        "talk.jsonl:2 id must be unique (got 'a', which line 1 has)",
        "talk.jsonl:2 split must be the same in all of a dialogue (got 'test'; line 1: 'train')",
        "talk.jsonl:2 group must be the same in all of a dialogue (got 'h'; line 1: 'g')",
        "talk.jsonl:2 targets.va must have 2 values, as line 1 (got 1)",
        "talk.jsonl:4 must be JSON: Expecting value at column 1",
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "talk.jsonl").write_bytes(content)
    assert _problems(tmp_path / "talk.jsonl") == ["must hold at least one utterance (got none)"]


@pytest.mark.parametrize(("encoding", "byte"), [("latin-1", "0xfc"), ("utf-16", "0xff")])
def test_another_encoding_is_told_once(tmp_path: Path, encoding: str, byte: str) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_bytes("\n".join(['{"speaker": "Jürgen"}'] * 3).encode(encoding))
    assert _problems(path) == [f"talk.jsonl:1 must be UTF-8 (got byte {byte})"]


def test_of_very_many_problems_the_first(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_conversations(_file(tmp_path, *["{}"] * 1_000))
    assert caught.value.title.startswith("1,000 problems in ")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].message == "and 980 more"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"talk\.jsonl cannot be read: No such file or directory$"):
        read_conversations(tmp_path / "talk.jsonl")
    with pytest.raises(InputError, match=r"must be a file with an utterance a line \(got a folder\)$"):
        read_conversations(tmp_path)


# The schema


def test_the_schema_in_the_documentation_is_the_reader_s(root: Path) -> None:
    written = json.loads((root / "docs/data/conversation.schema.json").read_text(encoding="utf-8"))
    assert written == conversation_schema(), "ercframe schema --for conversations > docs/data/conversation.schema.json"


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(-1, 2, allow_nan=False),
    st.sampled_from(["", "Ann", "test", "valid", "/a.wav", "a/../b.wav", "a..wav", "../a", "a/.."]),
    st.lists(st.one_of(st.none(), st.integers(0, 1), st.just("x")), max_size=2),
    st.dictionaries(
        st.sampled_from(["audio", "video", "va"]),
        st.one_of(st.none(), st.just("a.wav"), st.just("/a"), st.just(".."), st.lists(st.integers(0, 1), max_size=2)),
        max_size=2,
    ),
)


@given(st.dictionaries(st.sampled_from([*conversation_schema()["properties"], "other"]), _VALUES, max_size=4))
def test_schema_and_reader_agree(line: dict[str, Any]) -> None:
    """But for what a schema cannot say: that the end comes after the start."""
    line = {key: value for key, value in line.items() if key != "end" or "start" not in line}
    valid = jsonschema.Draft202012Validator(conversation_schema()).is_valid(line)
    try:
        parse_turn(json.dumps(line))
    except InputError:
        assert not valid, f"the reader refuses what the schema accepts: {line}"
    else:
        assert valid, f"the reader accepts what the schema refuses: {line}"
