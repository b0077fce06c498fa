"""Importer ``meld``: three CSV files joined with features, and the faults of the corpus."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from importing import findings_of
from pydantic import ValidationError

from ercframe import Corpus, InputError
from ercframe_plugins.importers.meld import MeldImporter

HEADER = ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
HEADER += ["Season", "Episode", "StartTime", "EndTime"]
LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")

# text, speaker, emotion, dialogue, utterance, start, end
Line = tuple[str, str, str, int, int, str, str]
TRAIN: list[Line] = [
    ("Oh, my God, he’s lost it.", "Phoebe", "sadness", 0, 0, "00:20:57,256", "00:21:00,049"),
    ("What?", "Monica", "surprise", 0, 1, "0:21:01,927", "00:21:03,261"),
    ("Nothing.", "Joey", "neutral", 1, 2, "00:00:10,000", "00:00:11,000"),
    ("This sounds like a hernia. Go see a doctor!", "Chandler", "joy", 1, 0, "00:00:12,000", "00:00:12,500"),
]
DEV: list[Line] = [("Hey!", "Ross", "joy", 0, 0, "00:00:01,000", "00:05:41,000")]
TEST: list[Line] = [
    ("This sounds like a hernia. Go see the doctor!", "Mark", "joy", 0, 0, "00:00:12,000", "00:00:12,500"),
    ("Hm.", "Mark", "anger", 0, 1, "00:00:20,000", "00:00:20,000"),
]


def _write(folder: Path, **changes: list[Any]) -> Path:
    """The three files, as published: UTF-8, CRLF, fields with commas quoted."""
    for split, rows in ({"train": TRAIN, "dev": DEV, "test": TEST} | changes).items():
        with (folder / f"{split}_sent_emo.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\r\n")
            table.writerow(HEADER)
            for i, (text, speaker, emotion, dialogue, utterance, start, end) in enumerate(rows):
                table.writerow([i, text, speaker, emotion, "neutral", dialogue, utterance, 1, 2, start, end])
    return folder


def _features(folder: Path, **changes: Any) -> Path:
    """Features of all utterances, in reverse order; a change to None leaves an array out."""
    splits = {"train": TRAIN, "dev": DEV, "test": TEST}
    rows = [(split, row) for split, lines in splits.items() for row in lines][::-1]
    columns = {
        "split": [split for split, _ in rows],
        "dialogue": [row[3] for _, row in rows],
        "utterance": [row[4] for _, row in rows],
        "label": [LABELS.index(row[2]) for _, row in rows],
        "label_names": LABELS,
        "words": [[100 * len(split) + 10 * row[3] + row[4], 1.0] for split, row in rows],
    }
    path = folder / "features.npz"
    np.savez(path, **{name: np.array(v) for name, v in (columns | changes).items() if v is not None})
    return path


def _read(folder: Path, features: Path | None = None, **config: Any) -> Corpus:
    chosen = {"features": features, "modalities": {"text": ("words",)}} if features else {}
    return MeldImporter(MeldImporter.Config(**(chosen | config))).read(folder)


def test_dialogue_ids_carry_the_split(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path))
    assert {d.id: [u.id for u in d.utterances] for d in corpus.dialogues} == {
        "train_0": ["train_0_0", "train_0_1"],
        "train_1": ["train_1_0", "train_1_2"],
        "dev_0": ["dev_0_0"],
        "test_0": ["test_0_0", "test_0_1"],
    }
    assert corpus.features == {}


def test_an_utterance_as_published(tmp_path: Path) -> None:
    first, second = _read(_write(tmp_path)).dialogues[0].utterances
    assert (first.text, first.speaker, first.label) == ("Oh, my God, he’s lost it.", "Phoebe", 3)
    assert (first.start, second.start) == (pytest.approx(1257.256), pytest.approx(1261.927))


def test_speakers_are_counted_in_each_dialogue(tmp_path: Path) -> None:
    assert _read(_write(tmp_path)).speaker_ids == "order"
    assert _read(tmp_path, speaker_ids="corpus").speaker_ids == "corpus"


def test_features_are_joined_on_split_dialogue_and_utterance(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path), _features(tmp_path))
    assert corpus.features["text"].values[:, 0].tolist() == [500, 501, 510, 512, 300, 400, 401]


def test_labels_come_in_the_order_of_the_features(tmp_path: Path) -> None:
    names = LABELS[::-1]
    lines = [*TRAIN, *DEV, *TEST][::-1]
    features = _features(tmp_path, label_names=names, label=[names.index(line[2]) for line in lines])
    corpus = _read(_write(tmp_path), features)
    assert corpus.labels == names
    assert corpus.labels[corpus.dialogues[0].utterances[0].label] == "sadness"


def test_utterances_without_features_are_not_available(tmp_path: Path) -> None:
    features = _features(
        tmp_path, split=["test", "test", "dev", "train", "train", "train", "train"], utterance=[1, 0, 0, 9, 2, 1, 0]
    )
    corpus = _read(_write(tmp_path), features)
    missing = np.isnan(corpus.features["text"].values).all(axis=1)
    assert missing.tolist() == [False, False, True, False, False, False, False]
    warnings = {
        f.message: [str(p) for p in f.places] for f in corpus.findings if f.topic in ("no features", "no annotation")
    }
    assert warnings == {
        "1 utterance without a row in the features: not available": ["train_1_0"],
        "1 row of the features without an utterance: left out": ["train_1_9"],
    }


def test_faults_are_found(tmp_path: Path) -> None:
    skipping = [*TRAIN, ("Hi.", "Ross", "joy", 4, 0, "00:09:00,000", "00:09:01,000")]
    findings = {f.topic: f for f in _read(_write(tmp_path, train=skipping)).findings}
    assert {topic: (f.level, f.message, [str(place) for place in f.places]) for topic, f in findings.items()} == {
        "missing dialogue": ("note", "2 dialogues without a row", ["train_2", "train_3"]),
        "missing turns": ("warning", "1 dialogue with gaps in Utterance_ID: turns are missing", ["train_1"]),
        "time goes back": (
            "warning",
            "1 dialogue with start times that go back; Utterance_ID gives the order",
            ["train_1"],
        ),
        "no duration": ("warning", "1 utterance without a duration", ["test_0_1"]),
        "too long": ("warning", "1 utterance longer than 60 s (340 s): likely cut wrongly", ["dev_0_0"]),
        "in two splits": ("warning", "1 utterance in two splits: train_1_0 is test_0_0", ["train_1_0", "test_0_0"]),
        "unseen speakers": ("note", "1 of 1 speakers of test are not in train (6 in all)", []),
    }


def test_an_utterance_in_two_splits_is_found_though_another_begins_and_ends_with_it(tmp_path: Path) -> None:
    (copied,) = [line for line in TRAIN if line[3:5] == (1, 0)]
    between = ("Nothing of the kind.", *copied[1:3], 2, 0, *copied[5:])
    _, message, _ = findings_of(_read(_write(tmp_path, train=[*TRAIN, between])))["in two splits"]
    assert message == "1 utterance in two splits: train_1_0 is test_0_0"


# What may be wrong


def _problems(folder: Path, features: Path | None = None, **config: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        _read(folder, features, **config)
    return [" ".join(filter(None, (p.where, p.what, p.message))) for p in caught.value.problems]


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "dev_sent_emo.csv").unlink(), (tmp_path / "test_sent_emo.csv").unlink()
    assert _problems(tmp_path) == ["dev_sent_emo.csv no such file", "test_sent_emo.csv no such file"]


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (2, "happy", f"dev_sent_emo.csv:2 Emotion must be one of {', '.join(LABELS)} (got 'happy')"),
        (3, "x", "dev_sent_emo.csv:2 Dialogue_ID must be a whole number (got 'x')"),
        (5, "1.5 s", "dev_sent_emo.csv:2 StartTime must be HH:MM:SS,mmm (got '1.5 s')"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, place: int, value: str, problem: str) -> None:
    line = list(DEV[0])
    line[place] = value
    assert _problems(_write(tmp_path, dev=[line])) == [problem]


def test_an_utterance_twice(tmp_path: Path) -> None:
    assert _problems(_write(tmp_path, dev=DEV * 2)) == [
        "dev_sent_emo.csv:3 Utterance_ID must be unique in dialogue 0 (got 0, which line 2 has)"
    ]


def test_many_problems_are_counted(tmp_path: Path) -> None:
    problems = _problems(_write(tmp_path, dev=[("Hey!", "Ross", "happy", 0, i, "00:00:01,000", "") for i in range(9)]))
    assert len(problems) == 6
    assert problems[-1] == "dev_sent_emo.csv and 13 more problems"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "dev_sent_emo.csv must have the columns Utterance, .* \\(lacks Utterance, .*\\)"),
        (b"Utterance,Speaker\r\n", "dev_sent_emo.csv must have the columns .* \\(lacks Emotion, Dialogue_ID, .*\\)"),
        (",".join(HEADER).encode() + b"\r\n1,It\x92s,Ross\r\n", "dev_sent_emo.csv must be UTF-8 \\(got byte 0x92\\)"),
        (
            ",".join(HEADER).encode() + b"\r\n1,Hey,Ross\r\n",
            "dev_sent_emo.csv:2 must have as many fields as the header",
        ),
        (",".join(HEADER).encode() + b'\r\n1,"Hey,Ross\r\n', "dev_sent_emo.csv must be a CSV table .*"),
    ],
)
def test_a_file_that_is_no_such_table(tmp_path: Path, content: bytes, problem: str) -> None:
    _write(tmp_path)
    (tmp_path / "dev_sent_emo.csv").write_bytes(content)
    (found,) = _problems(tmp_path)
    assert re.fullmatch(problem, found)


@pytest.mark.parametrize("given", [{"features": Path("f.npz")}, {"modalities": {"text": ("words",)}}])
def test_features_and_modalities_come_together(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"features and modalities must come together \(got .* without .*\)"):
        MeldImporter.Config(**given)


def test_labels_that_contradict_the_annotations(tmp_path: Path) -> None:
    features = _features(tmp_path, label=[0, 4, 4, 4, 0, 1, 6])
    assert _problems(_write(tmp_path), features) == [
        "label must be the emotion of the annotation files "
        "(got anger for train_0_0, which is sadness, neutral for test_0_1, which is anger)"
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"split": None}, "split no array 'split'"),
        ({"dialogue": ["a"] * 7}, "dialogue 'dialogue' must hold whole numbers (got <U1)"),
        ({"utterance": [0] * 6}, "utterance must have 7 values, as the other columns (got 6)"),
        (
            {"utterance": [0] * 7, "label": None},
            "split, dialogue, utterance must be unique (got test_0_0 2 times, train_1_0 2 times, train_0_0 2 times)",
        ),
        ({"dialogue": [99] * 7, "utterance": range(7)}, "must hold utterances of these annotation files (got none)"),
        ({"words": None}, "modality text no array 'words'; 2-D arrays: none"),
        (
            {"label_names": ["happy", "sad"]},
            f"label_names must be MELD's {', '.join(LABELS)} in any order (got happy, sad)",
        ),
    ],
)
def test_features_that_cannot_be_joined(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    assert problem in _problems(_write(tmp_path), _features(tmp_path, **changes))


# Clips


def _clips(folder: Path, *extra: str) -> Path:
    """The clips of all utterances in the folders of the archives, and what else is named."""
    names = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    root = folder / "MELD.Raw"
    for split, rows in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        for row in rows:
            path = root / split / names[split] / f"dia{row[3]}_utt{row[4]}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"video")
    for name in extra:
        path = next(root.rglob(Path(name).parent.name)) / Path(name).name
        path.write_bytes(b"video")
    return root


def test_clips_are_recorded_as_video(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path), clips=_clips(tmp_path))
    media = {u.id: dict(u.media) for d in corpus.dialogues for u in d.utterances}
    assert media["train_1_2"] == {"video": "train/train_splits/dia1_utt2.mp4"}
    assert media["test_0_1"] == {"video": "test/output_repeated_splits_test/dia0_utt1.mp4"}
    assert all(media.values())
    assert "no clip" not in findings_of(corpus)


def test_what_is_wrong_with_the_clips_is_counted_and_listed(tmp_path: Path) -> None:
    root = _clips(
        tmp_path,
        "train_splits/dia125_utt3.mp4",
        "train_splits/dia9_utt0.mp4",
        "output_repeated_splits_test/final_videos_testdia0_utt1.mp4",
        "output_repeated_splits_test/._dia0_utt1.mp4",
    )
    (root / "train/train_splits/dia0_utt1.mp4").unlink()
    (root / "train/train_splits/dia1_utt0.mp4").write_bytes(b"")
    damaged = [("Hm.", "Joey", "joy", 125, 3, "00:00:01,000", "00:00:02,000")]
    gone = [("Hm.", "Joey", "joy", 110, 7, "00:00:01,000", "00:00:02,000")]
    corpus = _read(_write(tmp_path, train=TRAIN + damaged, dev=DEV + gone), clips=root)
    without = [u.id for d in corpus.dialogues for u in d.utterances if not u.media]
    assert sorted(without) == ["dev_110_7", "train_0_1", "train_125_3", "train_1_0"]
    told = [f for f in corpus.findings if f.topic in ("damaged clip", "no clip", "no annotation", "other files")]
    assert [(f.level, f.message, [str(place) for place in f.places]) for f in told] == [
        (
            "note",
            "2 clips known to be unusable (train_125_3 cannot be decoded, dev_110_7 is missing from the archive): "
            "not available",
            ["train_125_3", "dev_110_7"],
        ),
        ("warning", "1 utterance without a clip: not available", ["train_0_1"]),
        ("warning", "1 utterance with an empty file as clip: not available", ["train_1_0"]),
        ("note", "1 clip of utterances without an annotation: left out", ["train_9_0"]),
        (
            "note",
            "2 files beside the clips with another name: left out (output_repeated_splits_test/._dia0_utt1.mp4, "
            "output_repeated_splits_test/final_videos_testdia0_utt1.mp4)",
            [],
        ),
    ]


def test_folders_of_clips_that_are_not_there(tmp_path: Path) -> None:
    root = _clips(tmp_path)
    (root / "again/dev_splits_complete").mkdir(parents=True)
    (root / "test/output_repeated_splits_test").rename(root / "test/videos")
    with pytest.raises(InputError, match=r"must be unpacked as MELD's archives are\n") as caught:
        _read(_write(tmp_path), clips=root)
    assert [p.what for p in caught.value.problems] == ["dev_splits_complete", "output_repeated_splits_test"]
    assert caught.value.problems[1].message == f"must be below {root} once (got none)"
    with pytest.raises(InputError, match=r"^clips must be the folder with train_splits, "):
        _read(_write(tmp_path), clips=tmp_path / "nowhere")


# Sentiment


def test_sentiment_instead_of_emotion(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path), labels_of="sentiment")
    assert corpus.labels == ("neutral", "positive", "negative")
    assert {u.label for d in corpus.dialogues for u in d.utterances} == {0}, "as these files have it"


def test_features_are_still_compared_by_emotion(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path), _features(tmp_path), labels_of="sentiment")
    assert corpus.labels == ("neutral", "positive", "negative")
    assert corpus.features["text"].values[0].tolist() == [500, 1]


def test_a_wrong_sentiment(tmp_path: Path) -> None:
    path = _write(tmp_path) / "dev_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",neutral,", ",good,"), encoding="utf-8")
    assert _problems(tmp_path, labels_of="sentiment") == [
        "dev_sent_emo.csv:2 Sentiment must be one of neutral, positive, negative (got 'good')"
    ]
    path.write_text(path.read_text(encoding="utf-8").replace("Sentiment", "Mood"), encoding="utf-8")
    (problem,) = _problems(tmp_path, labels_of="sentiment")
    assert problem.endswith("(lacks Sentiment)")
    assert _read(tmp_path).labels == LABELS, "nobody needs it for emotions"


# Words and marks of other programs


def test_a_byte_order_mark_and_an_empty_text(tmp_path: Path) -> None:
    path = _write(tmp_path, dev=[(" ", *DEV[0][1:])]) / "dev_sent_emo.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert findings_of(_read(tmp_path))["no text"] == ("note", "1 utterance without text", ["dev_0_0"])
