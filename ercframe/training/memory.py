"""Running out of memory, in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ercframe.errors import RunError
from ercframe.recipes import Recipe

_HOST = "DefaultCPUAllocator: can't allocate memory"
"""How PyTorch says on the host what on a device is an error of its own."""


@contextmanager
def memory_explained(recipe: Recipe) -> Iterator[None]:
    """A block in which running out of memory says which settings need less of it.

    Raises:
        RunError: in the place of what PyTorch and Python raise.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and _HOST not in str(error):
            raise
        cause = (str(error).splitlines() or ["MemoryError"])[0]
        raise RunError(
            f"there must be enough memory to train '{recipe.name}' (got: {cause})\n"
            f"What needs less: a smaller trainer.batch_dialogues (now {recipe.trainer.batch_dialogues}), "
            f"which trainer.accumulate can make up for, a smaller "
            f"width in encoder '{recipe.encoder.name}', or on a GPU trainer.precision=bf16 "
            f"(now {recipe.trainer.precision})."
        ) from error
