"""Running out of memory in words; the switches for a GPU that repeats itself."""

import os
from types import SimpleNamespace

import pytest
import torch

from ercframe import RunError
from ercframe.training.device import deterministic
from ercframe.training.memory import memory_explained

RECIPE = SimpleNamespace(
    name="mine",
    trainer=SimpleNamespace(batch_dialogues=16, precision="fp32"),
    encoder=SimpleNamespace(name="bilstm"),
)


def allocate_too_much():
    torch.empty(2**60, dtype=torch.uint8)


def fill_the_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")


def fill_python():
    raise MemoryError


def leave_no_room_for_cublas():
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def find_the_gpu_full_of_others():
    raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported")


@pytest.mark.parametrize(
    "fill", [allocate_too_much, fill_the_gpu, fill_python, leave_no_room_for_cublas, find_the_gpu_full_of_others]
)
def test_out_of_memory_says_what_to_change(fill):
    expected = pytest.raises(RunError, match=r"enough memory to train 'mine' \(got: .+\)\nWhat needs less")
    with expected as told, memory_explained(RECIPE):
        fill()
    assert "a smaller trainer.batch_dialogues (now 16), which trainer.accumulate can make up for" in str(told.value)
    assert "a smaller width in encoder 'bilstm'" in str(told.value)
    assert "trainer.precision=bf16 (now fp32)" in str(told.value)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), memory_explained(RECIPE):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


@pytest.mark.parametrize(
    "error", [torch.distributed.DistBackendError("a peer is gone"), NotImplementedError("abstract")]
)
def test_errors_of_a_kind_of_their_own_pass_too(error):
    with pytest.raises(type(error)), memory_explained(RECIPE):
        raise error


def test_deterministic_switches_are_set_before_the_gpu_starts_and_restored(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


def test_an_operation_without_a_deterministic_form_is_named():
    message = "kthvalue CUDA does not have a deterministic implementation, but you set"
    told = pytest.raises(RunError, match=r"needs operations that repeat exactly \(got: kthvalue CUDA does not")
    with told, deterministic(True):
        raise RuntimeError(message)


def test_nothing_is_switched_where_nobody_asked():
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
