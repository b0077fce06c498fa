"""What the tests of a GPU share."""

import os

import pytest

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once in a process, by its first matrix product

import torch

DEVICE = os.environ.get("ERCFRAME_TEST_GPU", "cuda")
"""``cpu`` runs those of the tests that need no GPU, to see that they are sound themselves."""


@pytest.fixture(scope="session")
def gpu() -> torch.device:
    """The GPU."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA")
    return torch.device(DEVICE)


@pytest.fixture
def real_gpu(gpu: torch.device) -> torch.device:
    """The GPU, for tests that mean nothing elsewhere."""
    if gpu.type != "cuda":
        pytest.skip("needs a GPU")
    return gpu
