"""Files of tensors."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ercframe.tensor_files import save_arrays, save_tensors

METADATA = {
    "epoch": "12",
    "ercframe": "0.1.0",
    "a": 'quotes " and \\',
    "z": "très\n\t\x01 \u2028 😀",
    "b": "",
    "c": "<>&/",
}


@pytest.mark.parametrize(
    ("save", "make"),
    [
        (save_tensors, lambda: {"w": torch.arange(5.0), "b": torch.ones(2, dtype=torch.bfloat16)}),
        (save_arrays, lambda: {"w": np.arange(5.0), "b": np.ones(3, dtype=np.int8)}),
    ],
)
def test_the_same_tensors_and_metadata_give_the_same_bytes(tmp_path, save, make):
    found = set()
    for n in range(30):  # by chance alone, one order of six in thirty files
        path = tmp_path / f"{n}.safetensors"
        save(path, make(), METADATA)
        found.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(found) == 1
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == METADATA
        assert file.get_tensor("w").tolist() == [0, 1, 2, 3, 4]


def test_without_metadata_there_is_none(tmp_path):
    save_tensors(tmp_path / "x.safetensors", {"w": torch.zeros(3)})
    with safe_open(tmp_path / "x.safetensors", framework="pt") as file:
        assert file.metadata() is None
