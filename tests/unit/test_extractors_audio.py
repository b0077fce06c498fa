"""openSMILE and speech models on real sound."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from extracting import features
from recordings import grey, read_wav, speak, tone, write_video, write_wav
from tiny_models import speech_model

from ercframe import InputError, NotAvailableError, UtteranceView
from ercframe_plugins.extractors.audio_opensmile import WIDTH, AudioOpensmile
from ercframe_plugins.extractors.audio_transformers import AudioTransformers

pytestmark = pytest.mark.extra


def turn(path: Path, kind: str = "audio", **times: float) -> UtteranceView:
    return UtteranceView("u", "Ann", "", media={kind: path}, shared=frozenset([path] if times else []), **times)


def opensmile(**settings):
    return AudioOpensmile(AudioOpensmile.Config(**settings))


@pytest.mark.parametrize("feature_set", WIDTH)
def test_opensmile_gives_its_functionals_of_speech(tmp_path, feature_set):
    import opensmile as library

    path = speak(tmp_path / "a.wav", "I am so glad to see you")
    extractor = opensmile(feature_set=feature_set, rate=22_050)
    row = features(extractor, turn(path))
    smile = library.Smile(library.FeatureSet[feature_set], library.FeatureLevel.Functionals)
    np.testing.assert_array_equal(row, smile.process_signal(read_wav(path), 22_050).to_numpy())
    assert row.shape == (1, WIDTH[feature_set])
    assert extractor.columns == tuple(smile.feature_names)


def test_opensmile_hears_pitch(tmp_path):
    turns = [turn(speak(tmp_path / f"{p}.wav", "I am so glad to see you", "-p", str(p))) for p in (10, 90)]
    extractor = opensmile()
    low, high = features(extractor, *turns)[:, extractor.columns.index("F0semitoneFrom27.5Hz_sma3nz_amean")]
    assert high > low + 5


def test_opensmile_of_the_sound_of_a_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(9)] * 10, 10, tone(1, hertz=220))
    extractor = opensmile()
    pitch = features(extractor, turn(path, "video"))[0, extractor.columns.index("F0semitoneFrom27.5Hz_sma3nz_amean")]
    assert pitch == pytest.approx(36, abs=0.1), "220 Hz are 36 semitones above 27.5 Hz"


def test_opensmile_of_a_long_turn_is_the_mean_of_its_pieces(tmp_path):
    sound = np.concatenate([tone(1, hertz=150), tone(1, hertz=300), tone(1.25, hertz=200)])
    whole = write_wav(tmp_path / "whole.wav", sound)
    parts = [write_wav(tmp_path / f"{i}.wav", part) for i, part in enumerate(np.split(sound, [16_000, 32_000]))]
    extractor = opensmile(piece_seconds=1)
    reading = extractor.read(turn(whole))
    assert reading.remark == "longer than 1.5 s: mean of pieces of 1 s"
    expected = np.average(features(extractor, *map(turn, parts)), axis=0, weights=[1, 1, 1.25])
    np.testing.assert_allclose(extractor.extract([reading.content])[0], expected, rtol=1e-6)


def test_opensmile_of_silence_is_finite(tmp_path):
    assert np.isfinite(features(opensmile(), turn(write_wav(tmp_path / "a.wav", np.zeros(16_000))))).all()


def test_opensmile_of_too_little_sound_is_not_available(tmp_path):
    with pytest.raises(NotAvailableError, match="too short for openSMILE") as caught:
        opensmile().read(turn(write_wav(tmp_path / "a.wav", tone(0.03))))
    assert not caught.value.broken


def test_opensmile_states_its_licence():
    assert "non-commercial" in AudioOpensmile.licence


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return speech_model(tmp_path_factory.mktemp("models") / "wav2vec2")


def speech(model, **settings):
    return AudioTransformers(AudioTransformers.Config(model=str(model), **settings))


@pytest.mark.parametrize("family", ["Wav2Vec2", "Hubert", "WavLM"])
def test_a_speech_model_pools_its_hidden_states(tmp_path, family):
    import transformers

    folder = speech_model(tmp_path / family, family)
    path = write_wav(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000))
    row = features(speech(folder, layers=(0, -1)), turn(path))[0]
    sound = read_wav(path)
    normal = torch.tensor((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7))[None]
    with torch.inference_mode():
        states = transformers.AutoModel.from_pretrained(folder).eval()(normal, output_hidden_states=True).hidden_states
    np.testing.assert_allclose(row, (states[0] + states[2])[0].mean(dim=0) / 2, atol=1e-6)


def test_other_turns_do_not_change_a_row(tmp_path, model):
    turns = [turn(write_wav(tmp_path / f"{i}.wav", tone(0.2 + i / 3))) for i in range(3)]
    extractor = speech(model)
    alone = np.concatenate([features(extractor, t) for t in turns])
    np.testing.assert_array_equal(features(extractor, *turns), alone)
    np.testing.assert_array_equal(features(speech(model), *turns), alone)


def test_pooling_decides_the_width(tmp_path, model):
    path = write_wav(tmp_path / "a.wav", tone(1))
    assert features(speech(model, pooling="mean_std"), turn(path)).shape == (1, 32)
    assert features(speech(model, pooling="max"), turn(path)).shape == (1, 16)


def test_a_part_of_a_recording_is_what_is_heard(tmp_path, model):
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * 16_000)
    whole = write_wav(tmp_path / "whole.wav", sound)
    part = write_wav(tmp_path / "part.wav", sound[16_000:32_000])
    extractor = speech(model)
    expected = features(extractor, turn(part))
    np.testing.assert_array_equal(features(extractor, turn(whole, start=1.0, end=2.0)), expected)


def test_a_long_turn_is_heard_in_pieces(tmp_path, model):
    sound = np.random.default_rng(0).normal(0, 0.1, 39_000)
    whole = write_wav(tmp_path / "whole.wav", sound)
    parts = [turn(write_wav(tmp_path / f"{i}.wav", part)) for i, part in enumerate(np.split(sound, [16_000]))]
    extractor = speech(model, piece_seconds=1)
    reading = extractor.read(turn(whole))
    assert reading.remark == "longer than 1.5 s: heard in pieces of 1 s"
    assert len(pickle.dumps(reading.content)) < 1000, "samples of a long turn do not travel between processes"
    rows = features(extractor, *parts)
    expected = np.average(rows, axis=0, weights=[49, 71])  # frames of 16,000 and of 23,000 samples
    np.testing.assert_allclose(extractor.extract([reading.content])[0], expected, rtol=1e-5, atol=1e-6)


def test_less_than_a_frame_is_not_available(tmp_path, model):
    extractor = speech(model)
    enough, short = (write_wav(tmp_path / f"{n}.wav", tone(1)[:n]) for n in (400, 399))
    assert np.isfinite(features(extractor, turn(enough))).all()
    with pytest.raises(NotAvailableError, match="too short for the model") as caught:
        extractor.read(turn(short))
    assert not caught.value.broken


def test_the_revision_is_that_of_the_weights(tmp_path, model):
    same, other = speech_model(tmp_path / "same"), speech_model(tmp_path / "other", layerdrop=0.5)
    assert speech(model).revision == speech(same).revision != speech(other).revision


def test_a_folder_without_a_speech_model_is_told(tmp_path):
    with pytest.raises(InputError, match=f"'audio_transformers': model '{tmp_path}' cannot be used: "):
        speech(tmp_path).load("cpu")


def test_a_layer_that_is_not_there_is_told(model):
    with pytest.raises(InputError, match=r"layers must be from -3 to 2 \(got 3, -4\)"):
        speech(model, layers=(0, 3, -4)).load("cpu")


def test_settings_are_plain_json(model):
    assert json.loads(speech(model).config.model_dump_json())["layers"] == [-1]
