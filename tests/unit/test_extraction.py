"""Extracting a modality into a bundle: values, gaps, going on, replacing, what an extractor may do wrong."""

import os

import numpy as np
import pytest
import small_corpus
from extracting import Watcher, calls, content, many, order, plugin, run, texts_of

from ercframe import Bundle, InputError, RunError
from ercframe.data.check import check_bundle
from ercframe.data.writer import write_bundle
from ercframe.lock import alone

# Values


def test_every_utterance_gets_its_row_in_batches_of_the_bundles_order(tmp_path):
    path = texts_of(tmp_path / "b", {"d1_1": "eel a", "d2_0": "ia"}).path
    watcher = Watcher()
    manifest, notes = run(order(tmp_path, "letters", path), watcher)
    features = Bundle(path).features("text")
    assert features.rows(0, 8).tolist() == [
        [0, 1, 1],
        [1, 2, 0],
        [0, 1, 1],
        [1, 0, 1],
        [0, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
    ]
    assert features.available.all()
    assert calls(tmp_path) == ["extract d10 eela", "extract d12 iaia", "extract d21 d30", "extract d31 d40"]
    assert (watcher.begun, watcher.blocks) == ([(8, 0)], [2, 2, 2, 2])
    modality = manifest.modalities["text"]
    assert (modality.extractor, modality.version, modality.width) == ("letters", "1", 3)
    assert [part.array for part in modality.parts] == ["a", "e", "i"]
    assert notes == []


def test_the_bundle_is_sound_and_nothing_is_left_over(tmp_path):
    path = texts_of(tmp_path / "b").path
    run(order(tmp_path, "letters", path))
    assert [str(f.message) for f in check_bundle(path) if f.level == "error" or f.topic == "foreign file"] == []
    assert not (path / ".extracting").exists()


def test_what_has_nothing_to_extract_from_is_not_available_and_listed(tmp_path):
    texts = {
        "d1_0": "",
        "d1_1": " \n",
        "d2_0": "SILENT",
        "d2_1": "BROKEN",
        "d3_0": "INF",
        "d3_1": "NAN",
        "d4_0": "LONG",
    }
    path = texts_of(tmp_path / "b", texts).path
    manifest, notes = run(order(tmp_path, "letters", path))
    found = [(f.level, f.message, [p.utterance for p in f.places]) for f in notes]
    assert found == [
        ("note", "text: 2 utterances not available: no text", ["d1_0", "d1_1"]),
        ("note", "text: 1 utterance not available: silence", ["d2_0"]),
        ("warning", "text: 1 utterance not available: the words are broken", ["d2_1"]),
        ("warning", "text: 1 utterance not available: a value is infinite", ["d3_0"]),
        ("note", "text: 1 utterance not available: no value", ["d3_1"]),
        ("note", "text: 1 utterance longer than most: cut", ["d4_0"]),
    ]
    features = Bundle(path).features("text")
    assert features.available.tolist() == [False, False, True, False, False, False, False, True]
    assert [n.message for n in manifest.modalities["text"].noticed] == [message for _, message, _ in found]
    assert calls(tmp_path) == ["extract d12", "extract INFINF", "extract NANNAN LONGLONG"]


def test_strict_stops_at_the_first_fault_and_keeps_what_is_done(tmp_path):
    path = texts_of(tmp_path / "b", {"d1_0": "", "d3_0": "BROKEN"}).path
    with pytest.raises(RunError, match=r"^d3_0 is broken: the words are broken; what is done is kept"):
        run(order(tmp_path, "letters", path), strict=True)
    assert Bundle(path).manifest.modalities == {}
    assert calls(tmp_path) == ["extract d11 d12", "extract d20 d21", "extract d31"]
    with pytest.raises(RunError, match="d3_0 is broken"):
        run(order(tmp_path, "letters", path), strict=True)
    assert calls(tmp_path) == []
    run(order(tmp_path, "letters", path))
    assert calls(tmp_path) == ["extract d40"]


# Going on


@pytest.mark.parametrize("name", ["letters", "centred"])
@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_after_an_interruption_only_the_rest_is_computed_and_the_bytes_are_the_same(tmp_path, name, stop_after):
    whole, path = texts_of(tmp_path / "whole").path, texts_of(tmp_path / "b").path
    run(order(tmp_path, name, whole))
    expected = calls(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(order(tmp_path, name, path), Watcher(stop_after))
    first = calls(tmp_path)
    told = f"extraction of {'text' if name == 'letters' else name} was stopped; the same command goes on"
    assert told in [f.message for f in check_bundle(path)]
    watcher = Watcher()
    run(order(tmp_path, name, path), watcher)
    assert first + calls(tmp_path) == expected
    assert watcher.begun == [(8, 2 * stop_after)]
    assert content(path) == content(whole)


def test_results_whose_fit_is_gone_are_computed_again(tmp_path):
    """As after a kill while the work folder was removed, whose files go in whatever order the file system has."""
    whole, path = texts_of(tmp_path / "whole").path, texts_of(tmp_path / "b").path
    run(order(tmp_path, "centred", whole))
    expected = calls(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(order(tmp_path, "centred", path), Watcher(stop_after=4))
    assert calls(tmp_path) == expected
    (fitted,) = (path / ".extracting").rglob("fitted.safetensors")
    fitted.unlink()
    run(order(tmp_path, "centred", path))
    assert calls(tmp_path) == expected
    assert content(path) == content(whole)


def test_an_interruption_every_block(tmp_path):
    whole, path = many(tmp_path / "whole", 30).path, many(tmp_path / "b", 30).path
    run(order(tmp_path, "letters", whole))
    expected = calls(tmp_path)
    for _ in range(15):
        with pytest.raises(KeyboardInterrupt):
            run(order(tmp_path, "letters", path), Watcher(1))
    run(order(tmp_path, "letters", path))
    assert calls(tmp_path) == expected
    assert content(path) == content(whole)


@pytest.mark.parametrize("change", ["settings", "corpus"])
def test_what_was_computed_for_something_else_is_not_used(tmp_path, change):
    path = texts_of(tmp_path / "b").path
    with pytest.raises(KeyboardInterrupt):
        run(order(tmp_path, "letters", path), Watcher(3))
    settings = '{"scale": 2.0}' if change == "settings" else "{}"
    if change == "corpus":
        made = small_corpus.corpus(dialogues=small_corpus.edited(lambda u: u), features={})
        write_bundle(made, path, small_corpus.MADE_BY, force=True)
        other = texts_of(tmp_path / "c", {"d4_0": "eel"})
        write_bundle(small_corpus.corpus(features={}), path, small_corpus.MADE_BY, force=True)
        os.replace(path / "manifest.json", tmp_path / "old.json")
        path = other.path
    watcher = Watcher()
    run(order(tmp_path, "letters", path, settings), watcher)
    assert watcher.begun == [(8, 0)]


def test_a_file_that_was_repaired_meanwhile_is_read_again(tmp_path):
    path = many(tmp_path / "b", 15, tmp_path / "media").path
    broken = tmp_path / "media/d0_3.wav"
    broken.write_bytes(b"")
    with pytest.raises(RunError, match="d0_3 is broken: the file is empty"):
        run(order(tmp_path, "bytes", path, media=tmp_path / "media"), strict=True)
    assert calls(tmp_path) == [f"read d0_{i}" for i in range(4)]
    broken.write_bytes(b"repaired")
    _, notes = run(order(tmp_path, "bytes", path, media=tmp_path / "media"), strict=True)
    assert notes == []
    assert calls(tmp_path)[0] == "read d0_3"
    assert Bundle(path).features("audio").rows(3, 4)[0, 0] == 8


# Files


def test_a_file_that_is_not_there_is_broken(tmp_path):
    path = many(tmp_path / "b", 15, tmp_path / "media").path
    (tmp_path / "media/d1_2.wav").unlink()
    _, notes = run(order(tmp_path, "bytes", path, media=tmp_path / "media"))
    assert [(f.level, f.message, str(f.places[0])) for f in notes] == [
        ("warning", "audio: 1 utterance not available: no such file", "d1_2")
    ]


def test_a_wrong_folder_is_told_with_a_file_that_is_not_in_it(tmp_path):
    path = many(tmp_path / "b", 15, tmp_path / "media").path
    with pytest.raises(InputError) as caught:
        run(order(tmp_path, "bytes", path, media=tmp_path / "elsewhere"))
    assert str(caught.value) == (
        f"extractor 'bytes' needs audio, which none of 5 training utterances of {path} has: there is no file "
        f"{tmp_path}/elsewhere/d0_0.wav; --media must be the folder that the bundle's paths start from"
    )


@pytest.mark.slow
def test_several_processes_give_the_same_bytes_as_one(tmp_path):
    media = tmp_path / "media"
    one, three = many(tmp_path / "one", 40, media).path, many(tmp_path / "three", 40, media).path
    run(order(tmp_path, "bytes", one, media=media))
    assert len(calls(tmp_path)) == 40
    run(order(tmp_path, "bytes", three, media=media), workers=3)
    assert sorted(calls(tmp_path)) == sorted(f"read d{d}_{i}" for d in range(8) for i in range(5))
    assert content(one) == content(three)


@pytest.mark.slow
def test_a_file_that_kills_its_process_is_broken_and_the_others_are_read(tmp_path):
    media = tmp_path / "media"
    path = many(tmp_path / "b", 20, media).path
    (media / "d1_1.wav").write_bytes(b"KILL")
    _, notes = run(order(tmp_path, "bytes", path, media=media), workers=2)
    assert [(f.message, [str(p) for p in f.places]) for f in notes] == [
        ("audio: 1 utterance not available: the process that read it was killed", ["d1_1"])
    ]
    assert int(Bundle(path).features("audio").available.sum()) == 19


# Fitting


def test_what_was_learnt_from_train_is_kept_in_the_bundle(tmp_path):
    from ercframe import plugins
    from ercframe.extraction.again import extract_views, rebuild
    from ercframe.extraction.survey import all_turns

    path = texts_of(tmp_path / "b", {"d1_1": "aaa", "d4_0": "iii"}).path
    manifest, _ = run(order(tmp_path, "centred", path))
    assert calls(tmp_path)[0] == "fit 5"
    modality = manifest.modalities["centred"]
    assert modality.fitted == "features/centred.fitted.safetensors"
    assert set(manifest.files) == {"dialogues.jsonl", "index.safetensors", modality.file, modality.fitted}
    values = Bundle(path).features("centred").rows(0, 8)
    np.testing.assert_allclose(values[:5].mean(axis=0), 0, atol=1e-6)
    again = rebuild(modality, path, plugins.load([plugin(tmp_path)]))
    views = [view for _, view in all_turns(Bundle(path), None)]
    found, missing = extract_views(again, views, modality.width)
    np.testing.assert_array_equal(found, values)
    assert missing == {}


def test_an_extractor_that_would_give_other_values_is_refused(tmp_path):
    from ercframe import plugins
    from ercframe.extraction.again import rebuild

    path = texts_of(tmp_path / "b").path
    modality = run(order(tmp_path, "letters", path))[0].modalities["text"]
    registry = plugins.load([plugin(tmp_path)])
    for change, told in (
        ({"version": "0"}, "its version must be 0 (got 1)"),
        ({"revision": "abc"}, "its model must be abc (got none)"),
        ({"settings": {"scale": "x", "no": 1}}, "its settings are not accepted any more (2 are wrong)"),
    ):
        with pytest.raises(InputError) as caught:
            rebuild(modality.model_copy(update=change), path, registry)
        assert str(caught.value) == f"extractor 'letters' would give other values than in the bundle: {told}"
    with pytest.raises(InputError, match="unknown extractor 'imported'"):
        rebuild(modality.model_copy(update={"extractor": "imported"}), path, registry)


# Replacing, and being stopped while the bundle changes


def test_a_modality_is_replaced_only_by_force(tmp_path):
    path = texts_of(tmp_path / "b").path
    run(order(tmp_path, "letters", path))
    with pytest.raises(InputError, match=r"has a modality 'text' already \(letters\); --force replaces it, --as gives"):
        run(order(tmp_path, "letters", path))
    before = content(path)
    run(order(tmp_path, "letters", path, '{"scale": 2.0}', force=True))
    features = Bundle(path).features("text")
    assert features.rows(0, 1).tolist() == [[0, 2, 2]]
    assert len(content(path)) == len(before)
    assert [f.message for f in check_bundle(path) if f.level == "error" or f.topic == "foreign file"] == []


STEPS = ("replace", "unlink", "rmdir", "fsync")


class KilledError(BaseException):
    """Stands for the end of the process."""


def stopping(real, steps):
    """A function that works as long as there are steps."""

    def step(*arguments, **options):
        if next(steps, None) is None:
            raise KilledError
        return real(*arguments, **options)

    return step


@pytest.mark.parametrize("name", ["letters", "centred"])
@pytest.mark.parametrize("replacing", [False, True])
def test_whenever_it_is_stopped_the_bundle_is_the_old_or_the_new_one(tmp_path, monkeypatch, name, replacing):
    """Every step that changes the file system is the last one in turn, as if the process were killed before it."""

    modality = "text" if name == "letters" else name
    number, finished = 0, False
    states = set()
    while not finished:
        path = texts_of(tmp_path / f"b{number}").path
        if replacing:
            run(order(tmp_path, name, path, '{"scale": 3.0}'))
        steps = iter(range(number))

        with monkeypatch.context() as patch:
            for step in STEPS:
                patch.setattr(os, step, stopping(getattr(os, step), steps))
            try:
                run(order(tmp_path, name, path, force=replacing))
                finished = True
            except KilledError:
                pass
        assert [f.message for f in check_bundle(path) if f.level == "error"] == [], f"stopped before step {number}"
        bundle = Bundle(path)
        found = bundle.manifest.modalities.get(modality)
        states.add(found.settings.get("scale", 1.0) if found else None)
        done = found is not None and found.settings.get("scale") is None
        run(order(tmp_path, name, path, force=replacing or done))
        now = Bundle(path).manifest.modalities[modality]
        assert (now.settings, bool(now.fitted)) == ({}, name == "centred"), f"stopped before step {number}"
        assert [f.message for f in check_bundle(path) if f.level == "error"] == []
        number += 1
    assert states == {3.0 if replacing else None, 1.0}
    assert number > 4


def test_a_bundle_that_was_imported_again_meanwhile_is_left_alone(tmp_path):
    path = texts_of(tmp_path / "b").path

    class Importing(Watcher):
        def advanced(self, turns):
            super().advanced(turns)
            if len(self.blocks) == 1:
                write_bundle(small_corpus.corpus(name="other"), path, small_corpus.MADE_BY, force=True)

    with pytest.raises(RunError, match="was imported again meanwhile, and the features are lost; extract them again"):
        run(order(tmp_path, "letters", path), Importing())
    assert Bundle(path).manifest.corpus == "other"


def test_two_processes_do_not_extract_the_same_modality(tmp_path):
    path = texts_of(tmp_path / "b").path
    folder = path / ".extracting/text"
    folder.mkdir(parents=True)
    with alone(folder, wait=False) as free:
        assert free
        with pytest.raises(InputError, match=r"^another process is extracting 'text' of .*; wait until it is done$"):
            run(order(tmp_path, "letters", path))
        run(order(tmp_path, "letters", path, modality="letters"))
    run(order(tmp_path, "letters", path))
    assert list(Bundle(path).manifest.modalities) == ["letters", "text"]


# What an extractor of one's own may get wrong


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"d3_0": "BUG"},
            r"extractor 'letters' failed to read d3_0: KeyError: 'no such key' \(.*extractors.py:\d+, in",
        ),
        ({"d3_0": "NARROW"}, r"must always return the same width and type \(got 2 float32 for d2_1, \(3, 'float32'\)"),
    ],
)
def test_a_fault_in_the_extractors_code_is_told_with_its_place(tmp_path, texts, message):
    path = texts_of(tmp_path / "b", texts).path
    with pytest.raises(RunError, match=message):
        run(order(tmp_path, "letters", path))
    assert Bundle(path).manifest.modalities == {}


def test_a_name_that_no_recipe_could_use_is_refused(tmp_path):
    path = texts_of(tmp_path / "b").path
    with pytest.raises(InputError, match=r"lower case letters, digits and underscores, a letter first \(got 'A b'\)"):
        run(order(tmp_path, "letters", path, modality="A b"))


def test_nothing_to_extract_from_is_said_before_anything_is_done(tmp_path):
    path = texts_of(tmp_path / "b", dict.fromkeys(("d1_0", "d1_1", "d1_2", "d2_0", "d2_1"), "")).path
    with pytest.raises(InputError, match=r"needs text, which none of 5 training utterances of .*b has$"):
        run(order(tmp_path, "letters", path))
    assert not (path / ".extracting").exists()


def test_what_fails_before_its_first_result_leaves_nothing_behind(tmp_path):
    path = texts_of(tmp_path / "b", {"d1_0": "BUG"}).path
    with pytest.raises(RunError):
        run(order(tmp_path, "letters", path))
    assert not (path / ".extracting").exists()


def test_no_features_at_all_are_no_modality(tmp_path):
    path = texts_of(tmp_path / "b", dict.fromkeys(("d1_0", "d1_1", "d1_2", "d2_0", "d2_1"), "SILENT")).path
    with pytest.raises(RunError, match="no utterance could be extracted: silence"):
        run(order(tmp_path, "letters", path))
