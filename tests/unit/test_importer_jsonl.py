"""The importer ``jsonl``: from a file of conversations to a corpus."""

import json
from pathlib import Path
from typing import Any

import pytest
from importing import findings_of

from ercframe import Corpus, InputError
from ercframe_plugins.importers.jsonl import JsonlImporter

ANN = {"speaker": "Ann", "text": "Hello."}
TALK = [
    ANN | {"dialogue": "d1", "split": "train", "label": "joy", "start": 0, "end": 1},
    {"dialogue": "d1", "speaker": "Bob", "text": "Hm.", "start": 0.5, "end": 2},
    ANN | {"dialogue": "d2", "split": "valid", "label": "anger", "group": "tuesday"},
]


def _read(folder: Path, *lines: dict[str, Any], **config: Any) -> Corpus:
    path = folder / "talk.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return JsonlImporter(JsonlImporter.Config(**config)).read(path)


def _problems(folder: Path, *lines: dict[str, Any], **config: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        _read(folder, *lines, **config)
    return [" ".join(filter(None, (p.where, p.what, p.message))) for p in caught.value.problems]


def test_a_corpus(tmp_path: Path) -> None:
    corpus = _read(tmp_path, *TALK, licence="CC0")
    assert (corpus.name, corpus.labels, corpus.licence) == ("talk", ("anger", "joy"), "CC0")
    assert [(d.id, d.split) for d in corpus.dialogues] == [("d1", "train"), ("d2", "dev")]
    assert [(u.id, u.speaker, u.label) for u in corpus.dialogues[0].utterances] == [
        ("d1_0", "Ann", 1),
        ("d1_1", "Bob", -1),
    ]
    assert corpus.findings == ()
    assert [source.name for source in corpus.sources] == ["talk.jsonl"]


def test_the_order_of_the_labels_may_be_told(tmp_path: Path) -> None:
    corpus = _read(tmp_path, *TALK, labels=("joy", "fear", "anger"))
    assert corpus.labels == ("joy", "fear", "anger")
    assert corpus.dialogues[0].utterances[0].label == 0


def test_what_a_conversation_may_lack_and_a_corpus_may_not(tmp_path: Path) -> None:
    assert _problems(tmp_path, ANN, ANN) == [
        "label must be given in at least one line (got none)",
        "talk.jsonl:1 split must be given in a line of every dialogue, or for all: split=train (got none for 'talk')",
    ]
    assert [d.split for d in _read(tmp_path, ANN | {"label": "joy"}, split="test").dialogues] == ["test"]


def test_an_unknown_label_has_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    assert _problems(tmp_path, *TALK, labels=("joy", "angry")) == [
        "talk.jsonl:3 label must be one of joy, angry (got 'anger'; did you mean 'angry'?)"
    ]


def test_recordings_that_are_not_there_are_listed_and_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.wav").touch()
    line = TALK[0] | {"media": {"audio": "clips/a.wav", "video": "clips/a.mp4"}}
    corpus = _read(tmp_path, line)
    assert corpus.dialogues[0].utterances[0].media == {"audio": "clips/a.wav"}
    expected = ("warning", f"1 recording not in {tmp_path}: not available", ["d1_0"])
    assert findings_of(corpus) == {"no recording": expected}
    corpus = _read(tmp_path, TALK[0] | {"media": {"audio": "a.wav"}}, media=tmp_path / "clips")
    assert corpus.dialogues[0].utterances[0].media == {"audio": "a.wav"}


def test_odd_times_and_empty_texts_are_noticed(tmp_path: Path) -> None:
    def turn(start: float, end: float, text: str = "Hm.") -> dict[str, Any]:
        return {"speaker": "Ann", "text": text, "start": start, "end": end, "label": "joy"}

    corpus = _read(tmp_path, turn(5, 9), turn(8, 10), turn(3, 3), turn(10, 2410), turn(2410, 2411, " "), split="train")
    assert findings_of(corpus) == {
        "time goes back": (
            "warning",
            "1 dialogue with start times that go back; the order of lines gives the order",
            ["talk"],
        ),
        "no duration": ("warning", "1 utterance without a duration", ["talk_2"]),
        "too long": ("warning", "1 utterance longer than 60 s (2400 s): likely cut wrongly", ["talk_3"]),
        "overlap": (
            "note",
            "2 utterances beginning before the same speaker's last one ends",
            ["talk_1", "talk_2"],
        ),
        "no text": ("note", "1 utterance without text", ["talk_4"]),
    }
    assert [u.start for u in corpus.dialogues[0].utterances] == [5, 8, 3, 10, 2410], "nothing is sorted"


def test_speakers_who_talk_at_the_same_time_are_nothing_odd(tmp_path: Path) -> None:
    assert _read(tmp_path, TALK[0], TALK[1]).findings == ()
