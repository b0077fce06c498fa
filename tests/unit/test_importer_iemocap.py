"""The importer ``iemocap``, on files written here in the corpus's own format: the corpus may not be passed on."""

from pathlib import Path
from typing import Any

import pytest
from importing import findings_of

from ercframe import Bundle, Corpus, InputError
from ercframe.cli.app import run_app
from ercframe_plugins.importers.iemocap import IemocapImporter

# Evaluated turns: start, end, side and number, class, valence, activation and dominance. Not in order of time.
TURNS: dict[str, list[tuple[float, float, str, str, tuple[float, float, float]]]] = {
    "Ses01F_impro01": [
        (6.2901, 8.2357, "F000", "neu", (2.5, 2.5, 2.5)),
        (18.0, 19.5, "F001", "xxx", (2.0, 3.0, 3.0)),
        (10.01, 11.3925, "M000", "fru", (1.5, 4.0, 4.5)),
    ],
    "Ses01M_script01_1": [(1.0, 2.0, "M000", "exc", (4.0, 4.0, 3.0))],
    "Ses02F_impro01": [(0.5, 3.0, "M000", "sad", (1.5, 2.0, 2.0)), (3.5, 4.0, "F000", "sur", (3.0, 4.0, 3.0))],
    "Ses05F_impro01": [(2.0, 3.0, "F000", "hap", (4.5, 3.5, 3.0)), (4.0, 5.0, "M000", "ang", (1.0, 4.5, 4.5))],
}


def _evaluation(dialogue: str) -> str:
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for start, end, turn, emotion, (v, a, d) in TURNS[dialogue]:
        lines += [
            f"[{start:.4f} - {end:.4f}]\t{dialogue}_{turn}\t{emotion}\t[{v:.4f}, {a:.4f}, {d:.4f}]",
            "C-E2:\tNeutral;\t()",
            "C-F1:\tNeutral; Other;\t(curious, caf\xe9)",
            "A-E3:\tval 3; act 2; dom  2;\t()",
            "",
        ]
    return "\n".join(lines)


def _transcription(dialogue: str) -> str:
    return "".join(
        f"{dialogue}_{turn} [{start:08.4f}-{end:08.4f}]: Line {turn}.\n" for start, end, turn, *_ in TURNS[dialogue]
    )


def _write(folder: Path, **files: str | bytes) -> Path:
    """The release; files are replaced or added by path, with ``__`` for ``/`` in keywords of the tests below."""
    root = folder / "IEMOCAP_full_release"
    for dialogue, turns in TURNS.items():
        session = root / f"Session{int(dialogue[3:5])}"
        _put(session / f"dialog/EmoEvaluation/{dialogue}.txt", _evaluation(dialogue).encode("latin-1"))
        _put(session / f"dialog/EmoEvaluation/._{dialogue}.txt", b"\x00\x05\x16\x07")  # as macOS leaves them
        _put(session / f"dialog/EmoEvaluation/Categorical/{dialogue}_e2_cat.txt", b"[nothing to read]")
        _put(session / f"dialog/transcriptions/{dialogue}.txt", _transcription(dialogue).encode())
        for _, _, turn, *_ in turns:
            _put(session / f"sentences/wav/{dialogue}/{dialogue}_{turn}.wav", b"RIFF")
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt")
        _put(path, content.encode() if isinstance(content, str) else content)
    return root


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _read(root: Path, **config: Any) -> Corpus:
    return IemocapImporter(IemocapImporter.Config(**config)).read(root)


def _problems(root: Path, **config: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        _read(root, **config)
    return [" ".join(filter(None, (p.where, p.what, p.message))) for p in caught.value.problems]


def test_a_corpus(tmp_path: Path) -> None:
    corpus = _read(_write(tmp_path))
    assert corpus.labels == ("hap", "sad", "neu", "ang", "exc", "fru")
    assert [(d.id, d.split, d.group) for d in corpus.dialogues] == [
        ("Ses01F_impro01", "train", "Ses01"),
        ("Ses01M_script01_1", "train", "Ses01"),
        ("Ses02F_impro01", "train", "Ses02"),
        ("Ses05F_impro01", "test", "Ses05"),
    ]
    first, second, third = corpus.dialogues[0].utterances
    assert (first.id, first.speaker, first.label, first.text) == ("Ses01F_impro01_F000", "F", 2, "Line F000.")
    assert (first.start, first.end, first.targets) == (6.2901, 8.2357, {"vad": (2.5, 2.5, 2.5)})
    assert first.media == {"audio": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"}
    assert (second.id, second.speaker, second.label) == ("Ses01F_impro01_M000", "M", 5), "in order of time"
    assert (third.id, third.label, third.targets["vad"]) == ("Ses01F_impro01_F001", -1, (2.0, 3.0, 3.0))
    assert findings_of(corpus) == {
        "not scored": ("note", "2 utterances of another class (sur 1, xxx 1): context only", [])
    }


@pytest.mark.parametrize(
    ("config", "splits"),
    [
        ({"test_sessions": (1,)}, ["test", "test", "train", "train"]),
        ({"test_sessions": (1, 2)}, ["test", "test", "test", "train"]),
        ({"dev_dialogues": ("Ses02F_impro01",)}, ["train", "train", "dev", "test"]),
    ],
)
def test_sessions_make_the_splits(tmp_path: Path, config: dict[str, Any], splits: list[str]) -> None:
    assert [d.split for d in _read(_write(tmp_path), **config).dialogues] == splits


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    root = _write(tmp_path)
    assert _problems(root, test_sessions=(5, 7), dev_dialogues=("Ses02F_impro1", "Ses05F_impro01")) == [
        "test_sessions must be of 1, 2, 5 (got 7)",
        "dev_dialogues must be dialogues of the corpus (got 'Ses02F_impro1'; did you mean 'Ses02F_impro01'?)",
        "dev_dialogues must not be in a test session (got 'Ses05F_impro01')",
    ]
    assert _problems(root, test_sessions=(1, 2, 5)) == ["test_sessions must leave a session for train (got 1, 2, 5)"]


def test_what_is_transcribed_only_is_left_out_and_told(tmp_path: Path) -> None:
    lines = (
        "\ufeffSes02F_impro01_M000 [000.5000-003.0000]: I know.\r\n"
        "Ses02F_impro01_MXX0 [003.0000-003.4000]: Hm.\r\n"
        "M: [BREATHING]\r\n\r\n"
    )
    corpus = _read(_write(tmp_path, Session2__dialog__transcriptions__Ses02F_impro01_txt=lines))
    assert [(u.id, u.text) for u in corpus.dialogues[2].utterances] == [
        ("Ses02F_impro01_M000", "I know."),
        ("Ses02F_impro01_F000", ""),
    ]
    found = findings_of(corpus)
    assert found["not evaluated"] == (
        "note",
        "1 utterance transcribed but not evaluated: left out",
        ["Ses02F_impro01_MXX0"],
    )
    assert found["no utterance"][1] == "1 line of transcriptions naming no utterance: left out"
    assert found["no text"] == ("note", "1 utterance without text", ["Ses02F_impro01_F000"])


def test_another_encoding_of_a_transcription_is_told(tmp_path: Path) -> None:
    line = "Ses02F_impro01_M000 [000.5000-003.0000]: A café.".encode("latin-1")
    corpus = _read(_write(tmp_path, Session2__dialog__transcriptions__Ses02F_impro01_txt=line))
    assert corpus.dialogues[2].utterances[0].text == "A caf\ufffd."
    assert findings_of(corpus)["encoding"] == (
        "warning",
        "1 line of transcriptions with bytes that are no UTF-8, which become \ufffd",
        ["Session2/dialog/transcriptions/Ses02F_impro01.txt"],
    )


def test_recordings_that_are_not_there(tmp_path: Path) -> None:
    root = _write(tmp_path)
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav").unlink()
    corpus = _read(root)
    assert corpus.dialogues[0].utterances[1].media == {}
    expected = ("warning", "1 utterance without a sound file: not available", ["Ses01F_impro01_M000"])
    assert findings_of(corpus)["no recording"] == expected
    for path in root.rglob("*.wav"):
        path.unlink()
    level, text, _ = findings_of(_read(root))["no recording"]
    assert (level, text) == ("note", "no utterance has a sound file in sentences/wav: none is recorded")


def test_video_of_the_utterance_or_of_the_dialogue(tmp_path: Path) -> None:
    root = _write(tmp_path)
    _put(root / "Session1/sentences/avi/Ses01F_impro01/Ses01F_impro01_F000.mp4", b"")
    _put(root / "Session1/dialog/avi/DivX/Ses01F_impro01.avi", b"")

    def videos(**config: Any) -> list[str | None]:
        return [u.media.get("video") for u in _read(root, **config).dialogues[0].utterances]

    cut = "Session1/sentences/avi/Ses01F_impro01/Ses01F_impro01_F000.mp4"
    assert videos() == [cut, None, None]
    assert videos(dialog_video=True) == [cut, *["Session1/dialog/avi/DivX/Ses01F_impro01.avi"] * 2]


# What may be wrong

FILE = "Session2/dialog/EmoEvaluation/Ses02F_impro01.txt"
KEY = "Session2__dialog__EmoEvaluation__Ses02F_impro01_txt"
GOOD = "[0.5000 - 3.0000]\tSes02F_impro01_M000\tsad\t[1.5000, 2.0000, 2.0000]\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", f"{FILE} must hold at least one evaluated utterance (got none)"),
        (
            GOOD.replace("sad", "sda"),
            "emotion must be one of hap, sad, neu, ang, exc, fru, fea, sur, dis, oth, xxx (got 'sda'",
        ),
        (GOOD.replace("Ses02F_impro01_M", "Ses02F_impro02_M"), "turn must be Ses02F_impro01_F or _M and a number (got"),
        (
            GOOD.replace("_M000", "_X000"),
            "turn must be Ses02F_impro01_F or _M and a number (got 'Ses02F_impro01_X000')",
        ),
        (GOOD.replace("0.5000", "-0.5"), "must be [START - END] TURN EMOTION [V, A, D] (got '[-0.5 - 3.0000]"),
        (GOOD.replace("[1.5000, 2.0000, 2.0000]", "[1.5]"), "must be [START - END] TURN EMOTION [V, A, D] (got"),
    ],
)
def test_a_wrong_evaluation_is_named_with_its_line(tmp_path: Path, content: str, problem: str) -> None:
    found = _problems(_write(tmp_path, **{KEY: "% header\n" + content if content else ""}))
    assert any(problem in one and one.startswith(FILE + ":2" * bool(content)) for one in found), found


def test_all_problems_at_once(tmp_path: Path) -> None:
    root = _write(tmp_path, **{KEY: GOOD.replace("sad", "?") + GOOD.replace("M000", "X")})
    (root / "Session3").mkdir()
    found = _problems(root)
    assert [problem.partition(" ")[0] for problem in found] == [
        f"{FILE}:1",
        f"{FILE}:2",
        "Session3/dialog/EmoEvaluation",
    ]


def test_an_utterance_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = _write(tmp_path, **{KEY: GOOD * 2})
    monkeypatch.chdir(tmp_path)
    assert run_app(["data", "import", "iemocap", str(root), "b"]) == 2
    assert "utterance  must be unique (got 'Ses02F_impro01_M000' 2 times)" in capsys.readouterr().err


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be the folder with Session1 to Session5, such as "):
        _read(tmp_path)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path)
    arguments = ("data", "import", "iemocap", "IEMOCAP_full_release", "b", "test_sessions=[2]")
    assert run_app([*arguments, "dev_dialogues=[Ses05F_impro01]"]) == 0
    made = Bundle(Path("b"))
    assert {split: size.dialogues for split, size in made.manifest.splits.items()} == {"train": 2, "dev": 1, "test": 1}
    assert (made.manifest.groups, made.manifest.targets) == (("Ses01", "Ses02", "Ses05"), {"vad": 3})
    capsys.readouterr()
    assert run_app(["data", "show", "b"]) == 0
    assert "Ses01F_impro01.txt, Ses01M_script01_1.txt" in " ".join(capsys.readouterr().out.split())
    assert run_app(["data", "check", "b"]) == 0
