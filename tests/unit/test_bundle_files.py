"""A bundle on disk: what is written is read, all of it or nothing, and damage is told."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_corpus import AUDIO, MADE_BY, NAN, TEXT, bundle, corpus, dialogues, edited

from ercframe import Bundle, DialogueRecord, FeatureArray, Finding, InputError, Place
from ercframe.data.writer import write_bundle
from ercframe.wording import counted

FEATURES = "features/text.safetensors"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    assert made.manifest.labels == ("joy", "anger")
    assert made.offsets.tolist() == [0, 3, 5, 7, 8]
    assert made.label.tolist() == [0, -1, 1, 1, 0, 0, 1, -1]
    assert [made.dialogue_id(i) for i in range(len(made))] == ["d1", "d2", "d3", "d4"]
    assert [made.dialogues(split).tolist() for split in ("train", "dev", "test", "other")] == [[0, 1], [2], [3], []]
    assert made.class_counts("train").tolist() == [2, 2]
    assert made.start[:3].tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(made.targets["vad"][0], np.array([1, NAN], "float32"))


@pytest.mark.parametrize(("modality", "values"), [("text", TEXT), ("audio", AUDIO)])
def test_features_are_stored_raw_in_their_own_type(tmp_path: Path, modality: str, values: np.ndarray) -> None:
    stored = bundle(tmp_path / "b").features(modality).rows(0, 8)
    assert stored.dtype == values.dtype
    np.testing.assert_array_equal(stored, values)


def test_the_lines_that_people_read(tmp_path: Path) -> None:
    record = bundle(tmp_path / "b").record(1)
    assert (record["id"], record["split"]) == ("d2", "train")
    assert record["utterances"][0] == {
        "id": "d2_0",
        "speaker": "Bob",
        "label": 1,
        "text": "d2 line 0",
        "start": 0.0,
        "end": 0.5,
        "targets": {"vad": [1.0, None]},
    }


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    bare = edited(lambda u: replace(u, text="", start=None, end=None, targets={}))
    made = bundle(tmp_path / "b", dialogues=bare)
    assert made.record(3)["utterances"] == [{"id": "d4_0", "speaker": "Cid", "label": -1}]
    assert np.isnan(made.start).all()
    assert made.targets == {}


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    bundle(tmp_path / "a"), bundle(tmp_path / "b")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 5
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_opening_and_features_do_not_read_the_dialogues(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    file = tmp_path / "b" / "dialogues.jsonl"
    file.write_bytes(b"x" * file.stat().st_size)
    made = Bundle(tmp_path / "b")
    assert made.features("text").standardised(0, 8, None).shape == (8, 3)
    with pytest.raises(InputError, match=r"dialogues\.jsonl: dialogue 2: Expecting value"):
        made.record(2)


def test_features_travel_to_another_process(tmp_path: Path) -> None:
    features = bundle(tmp_path / "b").features("audio")
    features.rows(0, 1)  # opens the file
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features)).rows(4, 6), AUDIO[4:6])


def test_findings_of_the_importer_are_kept(tmp_path: Path) -> None:
    places = tuple(Place("d1", f"d1_{i}") for i in range(30))
    made = bundle(tmp_path / "b", findings=(Finding("note", "topic", "30 things", places),))
    (kept,) = made.manifest.noticed
    assert (kept.level, kept.topic, kept.message) == ("note", "topic", "30 things")
    assert kept.places[:2] == ("d1_0", "d1_1")
    assert len(kept.places) == 20


# Whole or not at all


def test_a_bundle_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle(path)
    with pytest.raises(InputError, match=f"^there is a bundle at {path} already; --force replaces it$"):
        bundle(path)
    write_bundle(corpus(name="other"), path, MADE_BY, force=True)
    assert Bundle(path).manifest.corpus == "other"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("force", [False, True])
def test_nothing_but_a_bundle_is_ever_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"must be a new folder or a bundle to replace \(got something else, which is"):
        write_bundle(corpus(), tmp_path, MADE_BY, force=force)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert bundle(tmp_path).manifest.corpus == "small"


@pytest.mark.parametrize("step", ["writing 4 dialogues", "writing text, 8 × 3", "writing the manifest"])
@pytest.mark.parametrize("there", [False, True])
def test_stopped_in_the_middle_it_leaves_what_was_there(tmp_path: Path, step: str, there: bool) -> None:
    if there:
        bundle(tmp_path / "b")

    def stop(now: str) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(corpus(name="other"), tmp_path / "b", MADE_BY, force=True, on_step=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["b"] * there
    assert not there or Bundle(tmp_path / "b").manifest.corpus == "small"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    def fill(step: str) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "b"
    with pytest.raises(InputError, match=f"^{path} cannot be written: No space left on device$"):
        write_bundle(corpus(), path, MADE_BY, on_step=fill)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_import_left_is_removed_and_a_living_one_keeps_its_folder(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, alive = (tmp_path / f".b.new-{process}" for process in (int(ended.stdout), os.getppid()))
    dead.mkdir(), alive.mkdir()
    bundle(tmp_path / "b")
    assert not dead.exists()
    assert alive.exists()


# Damage


def _rewrite(path: Path, **changes: object) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (FEATURES, "it is missing"),
        ("index.safetensors", "it is missing"),
        ("dialogues.jsonl", "it is missing"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, message: str) -> None:
    bundle(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    expected = f"the bundle is damaged: {tmp_path}/b/{name}: {message}; import it again"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        Bundle(tmp_path / "b").features("text")


@pytest.mark.parametrize("name", [FEATURES, "index.safetensors", "dialogues.jsonl"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str, kept: float) -> None:
    bundle(tmp_path / "b")
    file = tmp_path / "b" / name
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    with pytest.raises(InputError, match=f"^the bundle is damaged: {tmp_path}/b/{name}: .*; import it again$"):
        Bundle(tmp_path / "b").features("text")


def test_files_of_another_bundle_are_refused(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    other = FeatureArray(np.ones((8, 2), "float32"))
    bundle(tmp_path / "c", features={"text": other})
    shutil.copy(tmp_path / "c" / FEATURES, tmp_path / "b" / FEATURES)
    with pytest.raises(
        InputError, match=r"'values' must be \[8, 3\] \(got \[8, 2\]\); 'mean' must be \[3\] \(got \[2\]\)"
    ):
        Bundle(tmp_path / "b").features("text")


def test_a_newer_bundle_says_so(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    _rewrite(tmp_path / "b", schema_version=3)
    with pytest.raises(
        InputError, match=r"schema_version must be 1 to 2 \(got 3\); a bundle of a newer version must be read"
    ):
        Bundle(tmp_path / "b")


def test_a_damaged_manifest_lists_every_problem(tmp_path: Path) -> None:
    bundle(tmp_path / "b")
    _rewrite(tmp_path / "b", labels="joy", colour="red")
    with pytest.raises(InputError, match=r"manifest\.json is damaged") as caught:
        Bundle(tmp_path / "b")
    assert {(problem.what, problem.message) for problem in caught.value.problems} == {
        ("labels", "must be a valid array (got 'joy')"),
        ("colour", "unknown key"),
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3", "\x00", 100_000 * "["], ids=lambda text: repr(text[:2]))
def test_no_manifest_at_all(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json cannot be read as a manifest: .*; import the bundle again"):
        Bundle(tmp_path)


def test_an_unknown_modality_names_those_there_are(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b")
    expected = f"{tmp_path}/b has no modalities 'tekst', 'video'; it has text, audio; did you mean 'text'?"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        made.require(["audio", "tekst", "video"])


# What an importer of one's own may get wrong


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dialogues": ()}, "dialogues  must be at least one (got none)"),
        (
            {"dialogues": (*dialogues()[:3], replace(dialogues()[3], id="d1"))},
            "dialogue  must be unique (got 'd1' 2 times)",
        ),
        ({"dialogues": edited(lambda u: replace(u, id="x"))}, "utterance  must be unique (got 'x' 8 times)"),
        (
            {"dialogues": edited(lambda u: replace(u, id=u.id.replace("d4_0", "")))},
            "id  must not be empty (got 1 that are)",
        ),
        ({"dialogues": (*dialogues(), DialogueRecord("d5", "dev", ()))}, "dialogue  must have an utterance (got d5)"),
        (
            {"dialogues": tuple(replace(d, split="valid") for d in dialogues())},
            "split  must be train, dev or test (got 'valid' in d1, 'valid' in d2, 'valid' in d3 and 1 more)",
        ),
        ({"labels": ("joy",)}, "label  must be -1 to 0 (got 1 in d1_2, 1 in d2_0, 1 in d3_1)"),
        ({"labels": ("joy", "joy")}, "labels  must differ (got 'joy' 2 times)"),
        (
            {"dialogues": edited(lambda u: replace(u, targets={} if u.id == "d4_0" else u.targets))},
            "targets  must be the same, with the same widths, in all utterances (NaN where unknown)",
        ),
        (
            {"features": {"text": FeatureArray(TEXT[:5])}},
            "text  must have a row for each of 8 utterances (got shape (5, 3))",
        ),
        (
            {"features": {"text": FeatureArray(np.ones((8, 3), "int64"))}},
            "text  must be float16, float32 or float64 (got int64)",
        ),
        (
            {"features": {"../x": FeatureArray(TEXT)}},
            "modality  must be lower case letters, digits and underscores, a letter first (got '../x')",
        ),
    ],
)
def test_a_corpus_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=r"^importer 'test' returned a corpus that cannot be a bundle") as caught:
        bundle(tmp_path / "b", **changes)
    assert f"  {message}" in str(caught.value).splitlines()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")])
def test_counting_in_words(number: int, words: str) -> None:
    assert counted(number, "row") == words


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("d1"), "d1"),
        (Place("d1", "d1_2"), "d1_2"),
        (Place("d1", "d12_2"), "d1/d12_2"),
        (Place("a", "7"), "a/7"),
    ],
)
def test_a_place_names_dialogue_and_utterance_once(place: Place, text: str) -> None:
    assert str(place) == text


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        bundle(tmp_path / "b")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "b").rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o644"}
