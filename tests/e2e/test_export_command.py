"""`ercframe export` as a user meets it, and `ercframe predict` on what it wrote."""

import json
import re
import sys

import pytest
import torch
import yaml
from predicting import train, write

TALK = [{"speaker": "Ann", "text": "hello aei"}, {"speaker": "Bob", "text": "what?"}, {"speaker": "Ann", "text": "no"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    # An encoder that is traced in no time; test_export_every_part.py has the others.
    train(folder, encoder={"type": "identity", "width": 8})
    return folder


@pytest.fixture
def run(place):
    (path,) = (place / "runs" / "small").iterdir()
    return path


@pytest.fixture
def ercframe(tmp_path, monkeypatch, command):
    """Run a command in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    return command


def test_predictions_of_an_export_are_those_of_its_run(ercframe, run, place, tmp_path):
    code, out, err = ercframe("export", run, "--out", "model", "--seed", 1)
    assert (code, err) == (0, "")
    first, program, paths, written = out.splitlines()
    assert first.startswith("seed 1 (as asked), epoch ")
    assert program.startswith("model.pt2: logits differ from the model's by at most ")
    assert paths == f"its files name folders of this machine: {place / 'bundle'}"
    assert written == "written to model"
    write(tmp_path / "talk.jsonl", TALK)
    options = ["talk.jsonl", "--out", "-", "--plugin", place / "extractors.py", "--device", "cpu", "--drop", "audio"]
    of_run = ercframe("predict", run, *options, "--seed", 1)
    of_export = ercframe("predict", "model", *options)
    assert of_run[0] == of_export[0] == 0
    assert of_run[1] == of_export[1]
    assert "seed 1 (as asked), epoch" in of_export[2]


def test_the_run_folder_is_where_it_goes_if_nothing_is_said(ercframe, run):
    assert ercframe("export", run)[0] == 0
    assert (run / "export" / "README.md").is_file()
    code, _, err = ercframe("export", run)
    assert code == 2
    assert "there is an export at" in err
    assert ercframe("export", run, "--force")[0] == 0


def test_the_card_names_the_extractors_and_the_licence_question(ercframe, run, tmp_path):
    ercframe("export", run, "--out", "model")
    text = (tmp_path / "model" / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license_name"] == "not-stated"
    assert re.search(r"^\| centred \| \d+ \| centred 1 \|", text, re.MULTILINE)
    assert "may hold words of the training conversations" in text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--out", "x", "--seed", "7"], "--seed must be one of the run's seeds, 0, 1 (got 7)"),
        (["--out", "talk.jsonl/model"], "must lie in a folder (got the file talk.jsonl)"),
        (["--out", "."], "must be a new folder or an export to replace (got something else, which is kept)"),
    ],
)
def test_wrong_input(ercframe, run, tmp_path, more, told):
    write(tmp_path / "talk.jsonl", TALK)
    code, out, err = ercframe("export", run, *more)
    assert (code, out) == (2, "")
    assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["talk.jsonl"]


def test_an_export_cannot_be_exported_again_nor_gone_on_with(ercframe, run):
    ercframe("export", run, "--out", "model")
    for command in (["export", "model"], ["eval", "model"], ["run", "model", "--resume"]):
        code, _, err = ercframe(*command)
        assert code == 2
        assert "must be a run folder (got an exported model, which ercframe predict takes)" in err, command


def test_a_missing_package_of_the_extra_is_told_before_any_work(ercframe, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, _, err = ercframe("export", run, "--out", "model", "--onnx")
    assert code == 2
    assert "pip install -c constraints.txt 'ercframe[export]'" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.extra
def test_an_onnx_file_computes_what_the_program_computes(ercframe, run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    code, out, _ = ercframe("export", run, "--out", "model", "--onnx")
    assert code == 0
    assert "model.onnx: logits differ from the model's by at most " in out
    widths = json.loads((tmp_path / "model" / "inputs" / "inputs.json").read_text())["corpus"]["modalities"]
    features = {name: torch.randn(9, width) for name, width in widths.items()}
    speaker, available = torch.zeros(9, dtype=torch.long), {name: torch.rand(9) < 0.5 for name in widths}
    feed = {f"features.{name}": x.numpy() for name, x in features.items()} | {"speaker": speaker.numpy()}
    feed |= {f"available.{name}": x.numpy() for name, x in available.items()}
    (found,) = onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx").run(["logits"], feed)
    program = torch.export.load(tmp_path / "model" / "model.pt2").module()
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(found), program(features, speaker, available), atol=1e-5)
