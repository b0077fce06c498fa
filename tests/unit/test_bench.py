"""What is measured, and what follows from measurements."""

import itertools
import json
import re

import pytest
import torch

from ercframe import InputError, recipes
from ercframe.bench import growth, subject
from ercframe.bench.compare import _ratios, _summary
from ercframe.bench.operations import count_operations
from ercframe.bench.worker import Task, started
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.report.growth_plot import draw_growth
from ercframe.testing.pretended_gpu import GPU, pretended_gpu
from ercframe.training.precision import Precision

CPU = torch.device("cpu")
SMALL = ["encoder.width=16", "encoder.heads=2", "dataset.train=12", "dataset.dev=2", "dataset.test=2"]


@pytest.fixture(scope="module")
def experiment():
    still = ["encoder.dropout=0", "losses.distill.dropout=0"]
    return assemble(recipes.load("sdt_iemocap", [*SMALL, *still, "trainer.batch_dialogues=5"], demo=True))


def test_both_subjects_start_from_the_same_weights_and_train_on_the_same_batches(experiment):
    ours, theirs = subject.packed(experiment, CPU), subject.against(experiment, "padded", CPU)
    for dialogues in itertools.islice(subject.batches(experiment), 4):
        found = [one.forward(one.batch(dialogues)) for one in (ours, theirs)]
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
        for one in (ours, theirs):
            times = subject.timed_step(one, dialogues, CPU)
            assert tuple(times) == (*subject.PARTS, "processor")
            assert min(times.values()) > 0
            assert times["processor"] < 2 * torch.get_num_threads() * sum(times[part] for part in subject.PARTS)


def test_an_epoch_of_batches_holds_every_dialogue_once(experiment):
    epoch = list(itertools.islice(subject.batches(experiment), 3))
    assert [len(dialogues) for dialogues in epoch] == [5, 5, 2]
    assert len({d.id for dialogues in epoch for d in dialogues}) == 12


def test_flops_are_those_of_the_linear_maps_and_of_attention(experiment):
    # 12 rows of width 16 through a linear map and back: 2·12·16² forward, twice that backward.
    dialogues = next(subject.batches(experiment))
    rows, width = sum(map(len, dialogues)), 16
    square = 3 * 2 * rows * width * width
    counted = subject.count_flops(subject.packed(experiment, CPU), dialogues)
    maps = 9 * 6 + 9 + 9 + 3  # pairs; gates; reduce, three times as wide; choose, of three modalities
    assert maps * square < counted < 1.6 * maps * square


def test_operations_are_those_that_compute():
    x, y = torch.ones(3, 4), torch.ones(4, 2, requires_grad=True)

    def forward(batch):
        return (x @ y.view(4, 2)).t().sum()  # two computed, two views

    one = subject.Subject(list, forward, lambda total: total.backward(), lambda: torch.empty(3).add_(1), int, None)
    # Backward: a tensor of ones to start with and the product; its expansion and transposes are views.
    assert count_operations(one, []) == {"forward": 2, "backward": 2, "optimizer": 1}


def test_a_gpu_is_handed_fewer_operations(experiment):
    dialogues = next(subject.batches(experiment))
    with pretended_gpu():
        on_gpu = count_operations(subject.packed(experiment, GPU), dialogues)
    on_cpu = count_operations(subject.packed(experiment, CPU), dialogues)
    assert on_gpu["forward"] + on_gpu["backward"] < on_cpu["forward"] + on_cpu["backward"]


def test_the_yardstick_computes_the_padding_too():
    experiment = assemble(recipes.load("sdt_iemocap", SMALL, demo=True))
    dialogues = next(subject.batches(experiment))
    padding = max(map(len, dialogues)) * len(dialogues) / sum(map(len, dialogues))
    ours, theirs = subject.packed(experiment, CPU), subject.against(experiment, "padded", CPU)
    ratio = subject.count_flops(theirs, dialogues) / subject.count_flops(ours, dialogues)
    assert padding > 1.1
    assert ratio == pytest.approx(padding, rel=0.1)


def test_the_rate_of_products_is_measured():
    assert 1e8 < subject.matmul_rate(Precision("fp32", "cpu"), CPU, seconds=0.02) < 1e15


def turn(*seconds, utterances=10):
    parts = dict(zip(subject.PARTS, seconds, strict=True))
    parts["processor"] = 2 * sum(seconds)
    return {"steps": [{"utterances": utterances, **parts}] * 2, "matmul_flops": 500.0}


def test_ratios_are_taken_round_by_round_with_and_without_the_optimizer():
    found = _ratios([turn(0, 2, 2, 4), turn(0, 4, 4, 8)], [turn(0, 1, 1, 0), turn(0, 1, 1, 2)])
    assert found["all"] == {"median": 4.0, "least": 4.0, "most": 4.0}
    assert found["without_optimizer"] == {"median": 3.0, "least": 2.0, "most": 4.0}


def test_a_summary_says_what_share_of_the_machine_is_used():
    facts = {"flops_per_utterance": 100.0, "peak_bytes": 7, "precision": "bf16", "operations": {"forward": 3}}
    found = _summary([turn(0, 1, 2, 2)], facts)
    assert found["step_operations"] == {"forward": 3}
    assert found["utterances_per_second"]["median"] == 2
    assert found["flops_per_second"] == 200
    assert found["share_of_matmul"] == 0.4
    assert found["step_seconds"] == {"data": 0, "forward": 1, "backward": 2, "optimizer": 2}


@pytest.mark.slow
def test_a_worker_measures_in_a_process_of_its_own():
    task = Task("sdt_iemocap", tuple(SMALL), (), True, None, 1)
    with started(task) as worker:
        assert len(worker.ask(2)["steps"]) == 2
        facts = worker.ask(0)
    assert facts["precision"] == "fp32"
    assert 50e6 < facts["peak_bytes"] < 20e9
    assert facts["flops_per_utterance"] > 0
    assert min(facts["operations"].values()) > 0


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    to = tmp_path / "speed.json"
    options = ["--demo", "--against", "padded", "--precision", "fp32", "--precision", "bf16"]
    arguments = ["bench", "sdt_iemocap", *SMALL, *options, "--rounds", "1", "--steps", "1", "--json", str(to)]
    assert run_app(arguments) == 0
    told = capsys.readouterr().out
    assert re.search(r"^ercframe, bf16: \d+\.\d\d times as fast .* without the optimizer", told, re.MULTILINE)
    assert set(json.loads(to.read_text())["subjects"]) == {"padded", "ercframe, fp32", "ercframe, bf16"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "padde"], "unknown yardstick 'padde'; did you mean 'padded'?"),
        (
            ["--against", "padded", "encoder.window={past: 2}"],
            "--against must implement the recipe: yardstick",
        ),
        (["--precision", "fp16"], "trainer.precision 'fp16' needs a CUDA device (got cpu)"),
        (["--precision", "fp8"], "trainer.precision"),
        (["--sweep", "lenght"], "--sweep must be one of length, modalities, batch, corpus (got 'lenght'); did you"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_started(arguments, message, capsys):
    assert run_app(["bench", "sdt_iemocap", "--demo", *SMALL, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_growth_is_measured_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "LENGTHS", (1, 60))
    monkeypatch.setattr(growth, "CORPORA", (100, 200))
    monkeypatch.setattr(growth, "UTTERANCES", 60)
    loaded = recipes.load("sdt_iemocap", SMALL, demo=True)
    narrow = growth.with_window(lambda overrides: recipes.load("sdt_iemocap", overrides, demo=True), SMALL)
    series = growth.measure_length(loaded, narrow) | growth.measure_corpus(loaded)
    assert [point["x"] for point in series["window"]] == [1, 60]
    assert [point["x"] for point in series["collate"]] == [100, 200]
    assert all(point["seconds_per_utterance"] > 0 for points in series.values() for point in points)
    machine = {"gpu": None, "processor": "cpu", "threads": 1, "date": "2026-01-31"}
    draw_growth(
        {"recipe": "r", "machine": machine, "sweeps": {"s": {"axis": "turns", "series": series}}}, tmp_path / "g.svg"
    )
    assert "<svg" in (tmp_path / "g.svg").read_text()


def test_a_recipe_without_a_window_is_measured_without():
    assert growth.with_window(lambda overrides: recipes.load("bclstm_iemocap", overrides, demo=True), []) is None


def test_an_unknown_yardstick_is_an_input_error(experiment):
    with pytest.raises(InputError, match="unknown yardstick 'x'"):
        subject.against(experiment, "x", CPU)
