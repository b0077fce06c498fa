"""The commands ``ercframe data import``, ``show`` and ``check``, on constructed and on real files."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_corpus import arrays, bundle

from ercframe import Bundle, read_label_map
from ercframe_plugins.datasets.bundle import BundleDataset

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ercframe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Run) -> Run:
    """Run the command in a folder of its own, which holds ``small.npz``; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    np.savez("small.npz", **arrays())
    return lambda *arguments: command("data", *arguments)


IMPORT = ("import", "npz", "small.npz", "data/small", "--modality", "text=words", "--modality", "audio=pitch,energy")


def test_import_makes_a_bundle_and_says_what_it_noticed(ercframe: Run) -> None:
    code, out, err = ercframe(*IMPORT)
    assert (code, err) == (0, "")
    assert out.splitlines()[:7] == [
        "note     text: 1 row with 1 unknown value, which become the training mean",
        "         d2_1",
        "note     audio: 2 rows without any value: not available",
        "         d1_1, d3_1",
        "note     audio: 1 row with 1 unknown value, which become the training mean",
        "         d2_0",
        "data/small: small, 4 dialogues, 8 utterances",
    ]
    assert re.search(r"audio +2 +float32 +75 % +small\.npz: pitch 1, energy 1", out)
    manifest = Bundle(Path("data/small")).manifest
    assert manifest.modalities["audio"].width == 2
    assert manifest.made_by.settings["modalities"] == {"text": ["words"], "audio": ["pitch", "energy"]}


def test_settings_are_written_as_in_a_recipe(ercframe: Run) -> None:
    code, _, _ = ercframe(*IMPORT, "corpus=Small talk", "targets=[vad]", "columns.text=text", "speaker_ids=corpus")
    assert code == 0
    manifest = Bundle(Path("data/small")).manifest
    assert (manifest.corpus, manifest.targets, manifest.speakers.ids) == ("Small talk", {"vad": 2}, "corpus")


def test_a_bundle_is_replaced_only_by_force(ercframe: Run) -> None:
    assert ercframe(*IMPORT)[0] == 0
    assert ercframe(*IMPORT) == (2, "", "there is a bundle at data/small already; --force replaces it\n")
    assert ercframe(*IMPORT, "--force", "corpus=new")[0] == 0
    assert Bundle(Path("data/small")).manifest.corpus == "new"
    assert [path.name for path in Path("data").iterdir()] == ["small"]


def test_everything_wrong_with_the_settings_at_once(ercframe: Run) -> None:
    wrong = (
        "--modality",
        "text",
        "--modality",
        "audio=energy",
        "--features",
        "f.npz",
        "tragets=[vad]",
        "licence=3",
        "x",
    )
    code, out, err = ercframe(*IMPORT, *wrong)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "6 problems in the settings of importer 'npz'",
        "  command line  x           must be key=value, such as licence=CC0",
        "  command line  --modality  must be NAME=ARRAY or NAME=ARRAY,ARRAY (got 'text')",
        "  command line  --modality  must name a modality once (got 'audio' again)",
        "  command line  --features  importer 'npz' has no use for it",
        "  command line  licence     must be text (got 3)",
        "  command line  tragets     unknown key; did you mean 'targets'?",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("import", "nzp", "small.npz", "b"),
            "unknown importer 'nzp'; did you mean 'npz'? Installed: ",
        ),
        (("import", "npz", "none.npz", "b"), "no such file: none.npz"),
        (("import", "npz", ".", "b"), ". must be an .npz file (got a folder)"),
        (("import", "npz", "small.npz", "small.npz/b"), "small.npz/b must lie in a folder (got the file small.npz)"),
        (
            ("import", "npz", "small.npz", "b", "--modality", "text=wrds"),
            "1 problem in small.npz\n  modality text  no array 'wrds'; did you mean 'words'?",
        ),
        (("import", "npz", "small.npz", "b", "--plugin", "mine.py"), "plugin file not found: mine.py"),
        (("import", "meld", ".", "b", "--features", "f.npz", "--modality", "a=b"), ". must be the folder with MELD's"),
        (("show", "none"), "no bundle at none"),
        (("show", "."), "no bundle at .: it has no manifest.json"),
        (("check", "none"), "no bundle at none"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(ercframe: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = ercframe(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert not Path("b").exists()


def test_the_importer_of_the_documentation(ercframe: Run, root: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/data.md").read_text(encoding="utf-8"), re.DOTALL)
    Path("diary.py").write_text(code)
    Path("diary.txt").write_text("Rain.\nSun.\n")
    assert ercframe("import", "diary", "diary.txt", "data/diary", "--plugin", "diary.py")[0] == 0
    shown, out, _ = ercframe("show", "data/diary")
    assert shown == 0
    assert "data/diary: diary, 1 dialogue, 2 utterances" in out
    assert "no modality" in out


def test_show(ercframe: Run) -> None:
    bundle(Path("b"))
    code, out, err = ercframe("show", "b")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for expected in (
        "b: small, 4 dialogues, 8 utterances",
        "licence not stated",
        "speakers 2 ids, in order of appearance in each dialogue",
        "targets vad (2)",
        "train dev test",
        "dialogues 2 1 1",
        "utterances 5 2 1",
        "scored 4 2 0",
        "anger 2 50 % 1 50 % 0 0 %",
        "audio 2 float32 75 % pitch 1, energy 1",
    ):
        assert expected in lines


def test_check_passes_a_sound_bundle(ercframe: Run) -> None:
    bundle(Path("b"))
    code, out, _ = ercframe("check", "b")
    assert code == 0
    assert out.splitlines()[-1] == "b: 0 errors, 2 warnings, 7 notes"


def test_check_fails_a_damaged_one(ercframe: Run) -> None:
    bundle(Path("b"))
    Path("b/dialogues.jsonl").write_text("")
    code, out, _ = ercframe("check", "b")
    assert code == 1
    assert (
        out.splitlines()[0]
        == "error    dialogues.jsonl is not the file that was written: its SHA-256 differs; import it again"
    )


def test_a_killed_import_leaves_no_bundle(tmp_path: Path) -> None:
    """Killed while the first features are being written, before anything can clean up."""
    np.savez(tmp_path / "small.npz", **arrays())
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from ercframe.cli.app import run_app\n"
            "from ercframe.data import writer\n"
            "writer.write_modality = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "run_app(sys.argv[1:])",
            *("data", *IMPORT),
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "data/small").exists()
    (left,) = (tmp_path / "data").iterdir()
    assert left.name.startswith(".small.new-")
    assert (left / "index.safetensors").exists(), "it was killed too early to show anything"


# Real corpora


def test_real_iemocap(ercframe: Run, real_data: Path) -> None:
    chosen = ("text=text_minilm", "audio=audio_gemaps,audio_praat,audio_energy", "visual=spectrogram_stats")
    options = [part for modality in chosen for part in ("--modality", modality)]
    assert ercframe("import", "npz", str(real_data / "iemocap/iemocap.npz"), "b", *options, "targets=[vad]")[0] == 0
    made = Bundle(Path("b"))
    splits = {name: (s.dialogues, s.utterances, s.scored) for name, s in made.manifest.splits.items()}
    assert splits == {"train": (108, 6994, 5163), "dev": (12, 875, 647), "test": (31, 2170, 1623)}
    assert {name: m.width for name, m in made.manifest.modalities.items()} == {"text": 384, "audio": 63, "visual": 160}
    assert (made.manifest.speakers.ids, made.manifest.speakers.names) == ("corpus", ("F", "M"))
    assert all((np.diff(made.start[slice(*made.rows(i))]) >= 0).all() for i in range(len(made))), "in order of time"
    assert made.manifest.modalities["text"].standardisation.constant == (127, 223, 319)
    code, out, _ = ercframe("check", "b")
    assert code == 0
    assert out.splitlines()[-1] == "b: 0 errors, 0 warnings, 5 notes"


def test_real_meld(ercframe: Run, real_data: Path) -> None:
    features = ("--features", str(real_data / "meld/meld.npz"))
    modalities = ("--modality", "text=text_minilm", "--modality", "audio=audio_praat")
    code, out, _ = ercframe("import", "meld", str(real_data / "meld"), "b", *features, *modalities)
    assert code == 0
    for found in (
        "76 dialogues with gaps in Utterance_ID",
        "31 dialogues with start times that go back",
        "1 utterance without a duration\n         test_155_3",
        "2 utterances longer than 60 s (305 s, 235 s): likely cut wrongly\n         test_38_4, test_220_0",
        "train_12_7 is test_85_0, train_12_8 is test_85_1",
        "1 dialogue without a row\n         train_60",
        "273 utterances beginning before the same speaker's last one ends",
        "31 of 100 speakers of test are not in train (304 in all)",
        "audio: 2 rows without any value: not available\n         train_125_3, dev_110_7",
        "audio: 540 rows with 644 unknown values",
    ):
        assert found in out
    manifest = Bundle(Path("b")).manifest
    sizes = {name: (split.dialogues, split.utterances) for name, split in manifest.splits.items()}
    assert sizes == {"train": (1038, 9989), "dev": (114, 1109), "test": (280, 2610)}
    assert (manifest.speakers.ids, manifest.speakers.count, manifest.speakers.are) == ("order", 9, "people")
    assert manifest.labels == ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
    assert ercframe("check", "b")[0] == 0


def test_real_iemocap_with_four_emotions(ercframe: Run, real_data: Path) -> None:
    """The counts of the literature, and the same from a recipe as from an import."""
    source = (str(real_data / "iemocap/iemocap.npz"), "b", "--modality", "text=text_minilm")
    assert ercframe("import", "npz", *source, "--labels", "iemocap_four")[0] == 0
    made = Bundle(Path("b"))
    counts = sum(made.class_counts(split) for split in ("train", "dev", "test"))
    assert dict(zip(made.manifest.labels, counts.tolist(), strict=True)) == {
        "hap": 648 + 1041,
        "sad": 1084,
        "neu": 1708,
        "ang": 1103,
    }
    assert "label map exc → hap, fru → context only" in " ".join(ercframe("show", "b")[1].split())
    assert ercframe("import", "npz", source[0], "c", *source[2:])[0] == 0
    config = BundleDataset.Config(path=Path("c"), labels=read_label_map("iemocap_four"))
    dataset = BundleDataset(config, ("text",))
    found = [int((made.label[made.utterance_rows(s)] >= 0).sum()) for s in ("train", "dev", "test")]
    assert [sum(len(d) for d in dataset.split(s)) for s in ("train", "dev", "test")] == found
    assert dataset.label_N.tolist() == made.label.tolist()


def test_a_label_map_that_does_not_fit(ercframe: Run) -> None:
    code, _, err = ercframe(*IMPORT, "--labels", "iemocap_four")
    assert code == 2
    assert err.startswith("label map iemocap_four does not fit the corpus, whose labels are joy, anger\n  hap ")
    assert ercframe(*IMPORT, "--labels", "none.yaml")[2].startswith("there is no label map 'none.yaml'")
    assert not Path("data").exists()


def test_real_meld_by_sentiment(ercframe: Run, real_data: Path) -> None:
    """MELD's own sentiment, and what a label map can make of its emotions."""
    assert ercframe("import", "meld", str(real_data / "meld"), "b", "labels_of=sentiment")[0] == 0
    assert ercframe("import", "meld", str(real_data / "meld"), "c", "--labels", "meld_sentiment")[0] == 0
    own, mapped = Bundle(Path("b")), Bundle(Path("c"))
    assert (own.manifest.labels, mapped.manifest.labels) == (("neutral", "positive", "negative"),) * 2
    assert np.bincount(own.label).tolist() == [6436, 3088, 4184]
    agree = own.label == mapped.label
    assert set(mapped.label[~agree].tolist()) == {-1}, "they differ where the emotion does not decide: in surprise"
    assert int((~agree).sum()) == 1636
