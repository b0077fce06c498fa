"""Exporting a run: what is in the folder, that programs are compared with the model, and what the card says."""

import json
import math
import shutil
from types import SimpleNamespace

import pytest
import small_runs
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from ercframe import Context, Decision, InputError, Layout, RunError
from ercframe.build import assemble
from ercframe.export import programs as writing
from ercframe.export.agreement import TOLERANCE, Cases, _difference
from ercframe.export.card import _cell
from ercframe.export.folder import CPU, export_run
from ercframe.export.program import trace
from ercframe.exported import ExportedModel, open_trained
from ercframe.loading import TrainedRun
from ercframe.nn import lstm_by_steps

RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 5, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "concat"},
    "classifier": {"type": "late"},
    "losses": {"task": {"type": "cross_entropy"}, "students": {"type": "self_distillation"}},
    "trainer": {"epochs": 2, "batch_dialogues": 4, "device": "cpu"},
    "protocol": {"seeds": 2},
}
FILES = {"README.md", "export.json", "inputs", "model.pt2", "model.safetensors", "recipe.yaml", "summary.json"}


def train(folder, **changes):
    return small_runs.train(folder, RECIPE | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return export_run(TrainedRun.open(trained), tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def card(folder):
    return (folder / "README.md").read_text()


def test_the_folder_holds_what_its_docs_say_and_nothing_else(exported):
    assert {path.name for path in exported.path.iterdir()} == FILES
    assert json.loads((exported.path / "export.json").read_text())["programs"]["torch"]["file"] == "model.pt2"
    assert exported.local_paths == ()


def test_the_weights_are_those_of_the_model_alone(exported, trained):
    weights = load_file(exported.path / "model.safetensors")
    run = TrainedRun.open(trained)
    learner, _ = run.learner(exported.export.seed, run.inputs().info, CPU)
    assert weights.keys() == learner.model.state_dict().keys()
    assert all(torch.equal(weights[name], x) for name, x in learner.model.state_dict().items())
    assert any(name.startswith("objective.") for name in learner.state_dict())


def test_an_export_says_what_its_run_says(exported, trained):
    found, run = open_trained(exported.path), TrainedRun.open(trained)
    assert isinstance(found, ExportedModel)
    info = run.inputs().info
    assert found.inputs().info == info
    assert found.summary == run.summary
    chosen = run.choose_seed()
    assert found.choose_seed() == chosen
    assert found.temperature([chosen.seed], info.labels) == run.temperature([chosen.seed], info.labels)
    batch = next(iter(Cases.of(run.learner(chosen.seed, info, CPU)[0].model, assemble(run.loaded)).pairs))
    learner, epoch = found.learner(chosen.seed, info, CPU)
    assert epoch == run.learner(chosen.seed, info, CPU)[1]
    again = Cases.of(learner.model, assemble(found.loaded)).pairs[0]
    assert torch.equal(again[1], batch[1])


def test_the_program_computes_what_the_model_computes_for_any_length(exported, trained):
    run = TrainedRun.open(trained)
    model = run.learner(exported.export.seed, run.inputs().info, CPU)[0].model
    program = torch.export.load(exported.path / "model.pt2").module()
    widths = run.inputs().info.modalities
    for turns in (1, 2, 7, 90):
        features = {name: torch.randn(turns, width) for name, width in widths.items()}
        speaker = torch.randint(2, (turns,))
        available = {name: torch.rand(turns) < 0.5 for name in widths}
        with torch.no_grad():
            expected = model(features, Context(Layout.from_lengths([turns]), speaker, available)).decision.logits
            assert torch.allclose(program(features, speaker, available), expected, atol=1e-5)
    agreement = exported.export.programs["torch"].agreement
    assert agreement.dialogues == 5
    assert agreement.split == "test"
    assert agreement.difference <= TOLERANCE


def test_a_program_that_differs_is_not_written(trained, tmp_path, monkeypatch):
    honest = writing._torch_file

    def off(path, traced):
        run = honest(path, traced)
        return lambda *dialogue: run(*dialogue) + 2e-4

    monkeypatch.setattr(writing, "_torch_file", off)
    found = export_run(TrainedRun.open(trained), tmp_path / "model")
    assert not (tmp_path / "model" / "model.pt2").exists()
    why = "its logits must differ from the model's by at most 0.0001 (got 0.0002), so it is not written"
    assert found.export.programs["torch"].why_not == why
    assert f"There is no program of PyTorch: {_cell(why)}." in card(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == FILES - {"model.pt2"}


def test_a_program_that_fails_is_not_written(trained, tmp_path, monkeypatch):
    def broken(path, traced):
        path.write_text("half")

        def run(*dialogue):
            raise ValueError("no such kernel\nand more")

        return run

    monkeypatch.setattr(writing, "_torch_file", broken)
    why = export_run(TrainedRun.open(trained), tmp_path / "model").export.programs["torch"].why_not
    assert why.startswith("it fails on a dialogue of ")
    assert why.endswith(" turns: no such kernel")
    assert not (tmp_path / "model" / "model.pt2").exists()


def test_a_model_that_cannot_be_exported_says_why_and_the_rest_is_written(tmp_path):
    encoder = {"type": "dialogue_rnn", "global_width": 3, "party_width": 3, "emotion_width": 3, "per_modality": True}
    run = train(tmp_path / "rnn", encoder=encoder, protocol={"seeds": 1}, trainer={**RECIPE["trainer"], "epochs": 1})
    found = export_run(TrainedRun.open(run), tmp_path / "model")
    why = "it goes from turn to turn in Python, and PyTorch exports that for one number of turns only"
    assert found.export.programs["torch"].why_not == why
    assert {path.name for path in (tmp_path / "model").iterdir()} == FILES - {"model.pt2"}
    assert "One seed was trained" in card(tmp_path / "model")


class Sized(nn.Module):
    """A model whose code takes the number of turns for a number."""

    def forward(self, features, context):
        logits = torch.cat([row * 2 for row in features["text"]])
        return SimpleNamespace(decision=Decision(logits.view(len(context.speaker), -1)))


class Branching(nn.Module):
    """A model whose code goes by values."""

    def forward(self, features, context):
        x = features["text"]
        return SimpleNamespace(decision=Decision(x if x.sum().item() > 0 else -x))


@pytest.mark.parametrize("model", [Sized(), Branching()], ids=lambda model: type(model).__name__)
def test_code_that_cannot_be_traced_is_told_in_a_line(model, capfd):
    with pytest.raises(RunError, match=r"its code goes by .*, so a program would fit only what was traced") as told:
        trace(model, {"text": 3})
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", "")


def test_where_the_data_has_changed_no_program_is_written(run, tmp_path):
    path = run / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": "0" * 64}))
    found = export_run(TrainedRun.open(run), tmp_path / "model", seed=1)
    why = found.export.programs["torch"].why_not
    assert "could not be compared with the model, since the run's data is not there: the data must be what" in why
    assert found.export.seed == 1
    assert open_trained(tmp_path / "model").choose_seed().why == "as asked"


def test_a_model_that_puts_out_nan_is_refused_and_nothing_is_left(run, tmp_path):
    for seed in (0, 1):
        path = run / f"seed-{seed}" / "checkpoints" / "best" / "weights.safetensors"
        weights = {name: x * math.nan for name, x in load_file(path).items()}
        save_file(weights, path, {"epoch": "1"})
    with pytest.raises(InputError, match="the model puts out NaN: its training went wrong; take another seed"):
        export_run(TrainedRun.open(run), tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_kept_unless_it_is_an_export_to_replace(exported, trained, tmp_path):
    there = shutil.copytree(exported.path, tmp_path / "there")
    (there / "mark").touch()
    with pytest.raises(InputError, match=r"there is an export at .* already; --force replaces it"):
        export_run(TrainedRun.open(trained), there)
    export_run(TrainedRun.open(trained), there, force=True)
    assert {path.name for path in there.iterdir()} == FILES
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(InputError, match="must be a new folder or an export to replace"):
        export_run(TrainedRun.open(trained), tmp_path / "other", force=True)


def test_an_export_is_no_run_folder_and_has_one_seed(exported):
    with pytest.raises(
        InputError, match=r"must be a run folder \(got an exported model, which ercframe predict takes\)"
    ):
        TrainedRun.open(exported.path)
    with pytest.raises(InputError, match=r"--seed must be the one that was exported, \d \(got 7\)"):
        open_trained(exported.path).choose_seed(7)
    with pytest.raises(InputError, match=r"--ensemble must have a run folder \(got an export, which has seed \d"):
        open_trained(exported.path).every_seed()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("export.json", "{", r"export.json cannot be read"),
        ("export.json", '{"schema_version": 2}', r"export.json is damaged, or of a newer version"),
        ("summary.json", "", r"summary.json cannot be read"),
        ("inputs/inputs.json", None, r"inputs.json is missing; export the run again"),
        ("model.safetensors", "half", r"model.safetensors cannot be read"),
    ],
)
def test_damage_is_told(exported, tmp_path, file, text, told):
    there = shutil.copytree(exported.path, tmp_path / "there")
    (there / file).unlink()
    if text is not None:
        (there / file).write_text(text)

    def use():
        found = open_trained(there)
        found.learner(found.choose_seed().seed, found.inputs().info, CPU)

    with pytest.raises(InputError, match=told):
        use()


def test_plugin_files_come_along_and_are_not_run_without_trust(tmp_path):
    plugin = tmp_path / "idle.py"
    plugin.write_text("from ercframe import hookimpl\n@hookimpl\ndef ercframe_components():\n    return []\n")
    run = train(tmp_path / "place", plugins=[str(plugin)], protocol={"seeds": 1})
    export_run(TrainedRun.open(run, trust_plugins=True), tmp_path / "model")
    with pytest.raises(InputError, match=r"the export in .* has plugin files, whose code would run: .*idle.py"):
        open_trained(tmp_path / "model")
    open_trained(tmp_path / "model", trust_plugins=True)


def test_the_card_has_a_header_for_the_hub_and_the_numbers_of_the_run(exported, trained):
    _, header, text = card(exported.path).split("---\n", 2)
    summary = json.loads((trained / "summary.json").read_text())
    entry = next(entry for entry in summary["seeds"] if entry["seed"] == exported.export.seed)
    told = yaml.safe_load(header)
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(entry["selected"]["test"]["weighted_f1"], abs=5e-5)
    assert result["dataset"]["name"].endswith("(generated conversations)")
    for seed in summary["seeds"]:
        assert f"{100 * seed['selected']['test']['weighted_f1']:.2f} |" in text
    over = summary["over_seeds"]["selected"]["test"]["weighted_f1"]
    assert f"{100 * over['mean']:.2f} ± {100 * over['std']:.2f}" in text
    assert "**Selected on dev**" in text
    assert "> **Generated data.**" in text
    assert "licence | not stated" in text


def test_the_card_says_where_the_epoch_was_chosen_on_test(tmp_path):
    run = train(tmp_path / "paper", protocol={"name": "paper", "seeds": 1})
    found = export_run(TrainedRun.open(run), tmp_path / "model")
    text = card(tmp_path / "model")
    assert "**Selected on test**" in text
    assert "on the test split itself" in text
    assert "would have claimed" not in text
    assert "not calibrated: the run has no dev" in text
    assert found.export.temperature is None


def test_the_card_says_that_weights_are_averaged(tmp_path):
    average = {"name": "swa", "start_epoch": 1}
    run = train(tmp_path / "average", trainer={"epochs": 2, "device": "cpu", "average": average})
    export_run(TrainedRun.open(run), tmp_path / "model")
    assert ", averaged over training from epoch 1 on (`swa`)." in card(tmp_path / "model")


def test_names_stay_in_their_cell():
    assert _cell("a|b\n<img>_x_") == "a\\|b \\<img>\\_x\\_"


@pytest.mark.parametrize(
    ("found", "expected", "gap"),
    [
        ([1.0, -math.inf], [1.0, -math.inf], 0.0),
        ([1.0, 2.0], [1.5, 2.0], 0.5),
        ([1.0, math.nan], [1.0, 2.0], math.inf),
        ([1.0, 2.0], [1.0, -math.inf], math.inf),
        ([1.0], [1.0, 2.0], math.inf),
    ],
)
def test_differences_never_hide_behind_infinities(found, expected, gap):
    assert _difference(torch.tensor(found), torch.tensor(expected)) == gap


def test_one_dialogue_is_laid_out_as_at_collation():
    one, same = Layout.of_one(5), Layout.from_lengths([5])
    assert one.sizes == same.sizes
    for name in ("lengths", "dialogue", "position", "mask", "slot"):
        assert torch.equal(getattr(one, name), getattr(same, name)), name


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False, "bidirectional": True}], ids=str
)
def test_an_lstm_by_steps_is_the_lstm(options):
    lstm = nn.LSTM(3, 4, **options).eval()
    for turns in (1, 4):
        x_LD = torch.randn(turns, 3)
        with torch.no_grad():
            assert torch.allclose(lstm_by_steps(lstm, x_LD), lstm(x_LD)[0], atol=1e-6)
