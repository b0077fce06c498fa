"""Single steps on a GPU. None of these tests has run on one yet; ``pytest -m cuda`` does."""

import copy
import json

import pytest
import torch
import torch.distributed as dist
from demo_runs import SMALL

from ercframe import recipes
from ercframe.build import assemble
from ercframe.cli.app import run_app
from ercframe.ranks import Ranks
from ercframe.recipes.files import installed_names
from ercframe.training.batches import grouped, on_device, training_batches
from ercframe.training.parallel import ParallelStep
from ercframe.training.share import divided
from ercframe.training.state import new_state
from ercframe.training.step import Step

pytestmark = pytest.mark.cuda

EVERYTHING = ["trainer.clip_norm=1.0", "trainer.accumulate=2", "trainer.average={name: ema, decay: 0.9}"]
STILL = ["encoder.dropout=0", "losses.distill.dropout=0", "trainer.precision=fp32"]


@pytest.mark.parametrize("name", installed_names())
def test_a_step_never_waits(real_gpu, name):
    """The first two steps are left alone: libraries start in them."""
    one = assemble(recipes.load(name, [*SMALL, *EVERYTHING, "trainer.batch_dialogues=3"], demo=True))
    state = new_state(one, 0, real_gpu)
    step = Step(state.learner, state.optimizer, state.precision, state.scaler, 1.0)
    state.learner.train()
    try:
        for number, some in enumerate(grouped(training_batches(one, state.generator), 2)):
            torch.cuda.set_sync_debug_mode("error" if number >= 2 else "default")
            for terms in step([on_device(batch, real_gpu) for batch in some]):
                state.tally.add(terms)
            state.average.step_done(state.learner, 1, True, True)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    state.tally.read()
    assert all(torch.isfinite(p).all() for p in state.learner.parameters())


def test_one_rank_by_nccl_takes_the_step_of_a_process_on_its_own(gpu, tmp_path):
    one = assemble(recipes.load("sdt_iemocap", [*SMALL, *STILL], demo=True))
    alone = new_state(one, 0, gpu)
    batch = next(training_batches(one, alone.generator))
    together = copy.deepcopy(alone.learner)
    alone.learner.zero_grad()
    with alone.precision.matmuls():
        Step(alone.learner, alone.optimizer, alone.precision, alone.scaler).forward_backward(batch.to(gpu))
        dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
        try:
            ranks = Ranks(0, 1, 0, 1)
            parts = (together, alone.optimizer, alone.precision, alone.scaler, None)
            step = ParallelStep(*parts, ranks)
            share = divided(batch, ranks, together.objective.couples_rows).to(gpu)
            step.settle(share)
            step._left = 1
            step.forward_backward(share)
        finally:
            dist.destroy_process_group()
    for (name, p), other in zip(alone.learner.named_parameters(), together.parameters(), strict=True):
        torch.testing.assert_close(p.grad, other.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_the_bench_measures_speed_and_memory(gpu, tmp_path):
    to = tmp_path / "speed.json"
    changes = [*SMALL, f"trainer.device={gpu}"]
    assert (
        run_app(["bench", "sdt_iemocap", "--demo", *changes, "--rounds", "1", "--steps", "2", "--json", str(to)]) == 0
    )
    found = json.loads(to.read_text(encoding="utf-8"))
    (subject,) = found["subjects"].values()
    assert (found["machine"]["gpu"] is None) == (gpu.type == "cpu")
    assert subject["utterances_per_second"]["median"] > 0
    assert sum(subject["step_operations"].values()) > 100
    learner = assemble(recipes.load("sdt_iemocap", changes, demo=True)).learner()
    kept = 4 * 4 * sum(p.numel() for p in learner.parameters())  # float32: weights, gradients and Adam's two
    assert kept <= subject["peak_bytes"] < (kept + 2**30 if gpu.type == "cuda" else 2**34)
    assert 0 < subject["share_of_matmul"] < 1
