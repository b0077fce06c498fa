"""Several processes train one model: the gradients, weights and scores of one process, and no hang when one dies."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from gradients import CASES, RECIPE, take
from safetensors.torch import load_file

HERE = Path(__file__).parent
RANKS = 2
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def start_ranks(*command: object) -> list[subprocess.Popen]:
    """Start a program as every rank, as ``torchrun`` would."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = ENVIRONMENT | {"WORLD_SIZE": str(RANKS), "LOCAL_WORLD_SIZE": str(RANKS)}
    shared |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)], env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(RANKS)
    ]


@pytest.fixture(scope="module")
def by_ranks(tmp_path_factory) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    """The recipe of the cases, and what every rank got for them."""
    folder = tmp_path_factory.mktemp("ranks")
    recipe = folder / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    for process in start_ranks(HERE / "gradients.py", recipe, folder):
        assert process.wait(timeout=300) == 0
    return recipe, [load_file(folder / f"{rank}.safetensors") for rank in range(RANKS)]


@pytest.mark.parametrize("name", CASES)
def test_gradients_and_terms_are_those_of_one_process_on_the_whole_batch(by_ranks, name):
    recipe, found = by_ranks
    alone = take(CASES[name], recipe)
    anything = name != "nothing scored at all"
    assert any(x.any() for key, x in alone.items() if not key.startswith("batch")) == anything
    for rank in found:
        got = {key.removeprefix(f"{name}/"): x for key, x in rank.items() if key.startswith(f"{name}/")}
        assert got.keys() == alone.keys()
        for key, x in alone.items():
            torch.testing.assert_close(got[key], x, rtol=0, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}")
