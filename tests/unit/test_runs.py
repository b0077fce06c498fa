"""The run folder: names that never clash, plugin copies, checkpoints that load."""

import re

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from ercframe import InputError, tensor_files
from ercframe.registry import Origin
from ercframe.runs import RunFolder, environment


def test_folders_are_named_by_the_time_and_never_reused(tmp_path):
    made = [RunFolder.create(tmp_path, "mine").path for _ in range(5)]
    assert len(set(made)) == 5
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d)?", path.name) for path in made)
    assert {path.parent for path in made} == {tmp_path / "mine"}


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the run folder"):
        RunFolder.create(tmp_path / "file", "mine")


def test_the_recipe_is_kept_with_copies_of_its_plugins(tmp_path):
    (tmp_path / "my_fusion.py").write_text("x = 1\n")
    folder = RunFolder.create(tmp_path, "mine")
    assert folder.copy_plugins([tmp_path / "my_fusion.py"]) == ["plugins/my_fusion.py"]
    folder.write_recipe("a: 1\n")
    assert (folder.path / "recipe.yaml").read_text() == "a: 1\n"
    assert (folder.path / "plugins" / "my_fusion.py").read_text() == "x = 1\n"


def test_plugin_files_of_one_name_are_all_kept(tmp_path):
    files = [
        tmp_path / folder / name for folder, name in [("a", "x.py"), ("b", "x.py"), ("c", "x.py"), ("d", "x_2.py")]
    ]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name)
    folder = RunFolder.create(tmp_path, "mine")
    copies = folder.copy_plugins(files)
    assert len(set(copies)) == 4
    assert [(folder.path / copy).read_text() for copy in copies] == ["a", "b", "c", "d"]


def test_tied_weights_are_kept(tmp_path):
    seed = RunFolder.create(tmp_path, "mine").seed(0)
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    seed.save_checkpoint("best", tied.state_dict(), 1)
    other = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    seed.load_checkpoint("best", other)
    assert torch.equal(other[0].weight, tied[0].weight)
    assert torch.equal(other[1].weight, tied[0].weight)


def test_weights_that_cannot_be_written_are_an_error_of_the_system(tmp_path, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    seed = RunFolder.create(tmp_path, "mine").seed(0)
    with pytest.raises(OSError, match=r"weights.safetensors: I/O error: No space left"):
        seed.save_checkpoint("best", nn.Linear(2, 2).state_dict(), 1)


def test_the_environment_says_what_it_ran_on():
    found = environment(torch.device("cpu"), "bf16", {"fusion/mine": Origin("my_fusion.py")})
    assert found["torch"] == torch.__version__
    assert (found["device"], found["precision"]) == ("cpu", "bf16")
    assert found["components"] == {"fusion/mine": "my_fusion.py"}
