"""Running out of memory, in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ercframe.errors import RunError
from ercframe.recipes import Recipe

_TEXTS = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""How PyTorch says it where it has no error of its own for it: on the host, in CUDA's driver and in its libraries."""


@contextmanager
def memory_explained(recipe: Recipe) -> Iterator[None]:
    """A block in which running out of memory says which settings need less of it.

    Raises:
        RunError: in the place of what PyTorch and Python raise.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in _TEXTS)
        if not known:
            raise
        cause = (str(error).splitlines() or ["MemoryError"])[0]
        raise RunError(
            f"there must be enough memory to train '{recipe.name}' (got: {cause})\n"
            f"What needs less: a smaller trainer.batch_dialogues (now {recipe.trainer.batch_dialogues}), "
            f"which trainer.accumulate can make up for, a smaller "
            f"width in encoder '{recipe.encoder.name}', or on a GPU trainer.precision=bf16 "
            f"(now {recipe.trainer.precision})."
        ) from error
