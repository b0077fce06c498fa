"""From a folder of recordings to a bundle with sound and pictures, by the commands that docs/extractors.md shows."""

import json
import shutil

import numpy as np
import pytest
from recordings import cut_short, grey, read_wav, speak, write_video, write_wav
from tiny_models import clip, red_square_detector, speech_model

from ercframe import Bundle
from ercframe.cli.app import run_app

pytestmark = [pytest.mark.slow, pytest.mark.extra]

WORDS = {"Ann": "I am so happy to see you", "Bob": "What do you want from me"}


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two dialogues of four turns, spoken by espeak-ng, with a red square for a face where Ann speaks."""
    folder = tmp_path_factory.mktemp("talk")
    lines = []
    for number in range(8):
        speaker = ("Ann", "Bob")[number % 2]
        name = f"{number}"
        speak(folder / f"{name}.wav", WORDS[speaker], "-p", str(10 * number), "-s", "250")
        face = grey(60, 96, 128)
        face[32:64, 64:96] = (250, 10, 10) if speaker == "Ann" else 60
        write_video(folder / f"{name}.mp4", [face] * 10, 10, read_wav(folder / f"{name}.wav")[:16_000])
        lines.append(
            {
                "dialogue": f"d{number // 4}",
                "split": ("train", "test")[number // 4],
                "speaker": speaker,
                "text": WORDS[speaker],
                "label": ("joy", "anger")[number % 2],
                "media": {"audio": f"{name}.wav", "video": f"{name}.mp4"},
            }
        )
    (folder / "talk.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    models = tmp_path_factory.mktemp("models")
    speech_model(models / "speech")
    clip(models / "clip")
    red_square_detector(models / "faces.onnx")
    return folder, models


def data(*arguments):
    return run_app(["data", *map(str, arguments)])


def values(bundle, modality):
    return (bundle / "features" / f"{modality}.safetensors").read_bytes()


def test_every_modality_is_added_and_is_the_same_however_many_processes_read(tmp_path, talk, capsys):
    folder, models = talk
    orders = {
        "audio": ["audio_opensmile"],
        "speech": ["audio_transformers", f"model={models / 'speech'}"],
        "visual": [
            "visual_transformers",
            f"model={models / 'clip'}",
            f"face_model={models / 'faces.onnx'}",
            "output=shared",
        ],
    }
    for name, workers in (("one", 1), ("two", 2)):
        assert data("import", "jsonl", folder / "talk.jsonl", tmp_path / name) == 0
        for modality, order in orders.items():
            last = ["--media", folder, "--as", modality, "--workers", workers]
            assert data("extract", order[0], tmp_path / name, *order[1:], *last) == 0
    one, two = tmp_path / "one", tmp_path / "two"
    assert all(values(one, modality) == values(two, modality) for modality in orders)
    modalities = Bundle(one).manifest.modalities
    assert {name: m.width for name, m in modalities.items()} == {"audio": 88, "speech": 16, "visual": 12}
    assert "non-commercial" in modalities["audio"].licence
    assert modalities["audio"].parts[0].array == "F0semitoneFrom27.5Hz_sma3nz_amean"
    assert {"opensmile", "av"} <= modalities["audio"].packages.keys()
    assert len(modalities["speech"].revision) == 64
    assert modalities["visual"].settings["face_model"] == "faces.onnx"
    capsys.readouterr()
    assert data("check", one) == 0
    assert "0 errors" in capsys.readouterr().out


def test_broken_recordings_are_listed_and_the_others_extracted(tmp_path, talk, capsys):
    folder = shutil.copytree(talk[0], tmp_path / "broken")
    (folder / "0.wav").write_bytes(b"")
    (folder / "1.wav").write_text("Oh my God!")
    cut_short(folder / "2.wav", 44 / (folder / "2.wav").stat().st_size)
    (folder / "4.wav").unlink()
    assert data("import", "jsonl", talk[0] / "talk.jsonl", tmp_path / "bundle") == 0
    capsys.readouterr()
    assert data("extract", "audio_opensmile", tmp_path / "bundle", "--media", folder) == 0
    told = capsys.readouterr().out.splitlines()
    for reason, place in {
        "a file of 0 bytes": "d0_0",
        "cannot be decoded: Invalid data found when processing input": "d0_1",
        "the audio track is empty": "d0_2",
        "no such file": "d1_0",
    }.items():
        line = told.index(f"warning  audio: 1 utterance not available: {reason}")
        assert told[line + 1].strip() == place
    assert Bundle(tmp_path / "bundle").manifest.modalities["audio"].available == 4
    assert data("extract", "audio_opensmile", tmp_path / "bundle", "--media", folder, "--as", "all", "--strict") == 1
    assert "is broken: " in capsys.readouterr().err


def test_a_recording_of_a_whole_dialogue_is_divided_by_times(tmp_path, talk):
    folder = tmp_path / "whole"
    folder.mkdir()
    lines = [json.loads(line) for line in (talk[0] / "talk.jsonl").read_text().splitlines()]
    sound = [read_wav(talk[0] / f"{number}.wav")[:22_050] for number in range(8)]  # a second of each
    for number, line in enumerate(lines):
        line |= {"start": number % 4, "end": number % 4 + 1, "media": {"audio": f"{line['dialogue']}.wav"}}
    for half in (0, 1):
        write_wav(folder / f"d{half}.wav", np.concatenate(sound[4 * half : 4 * half + 4]), 22_050)
    (folder / "talk.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number, one in enumerate(sound):
        write_wav(folder / f"{number}.wav", one, 22_050)
        lines[number]["media"] = {"audio": f"{number}.wav"}
    (folder / "cut.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("talk", "cut"):
        assert data("import", "jsonl", folder / f"{name}.jsonl", tmp_path / name) == 0
        assert data("extract", "audio_opensmile", tmp_path / name, "--media", folder, "--workers", 1) == 0
    assert values(tmp_path / "talk", "audio") == values(tmp_path / "cut", "audio")
