"""The processes that train one model together, as one of them sees the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from ercframe.errors import InputError, RunError
from ercframe.launcher_watch import end_with_launcher
from ercframe.signals import INTERRUPTED

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributed import ProcessGroup

T = TypeVar("T")

TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for another one. The longest that one may rightly be busy alone is while the first writes the
results of a seed."""
TELLING = timedelta(seconds=10)
"""How long a rank that fails waits for the first one to tell the same error, which it may come to later where the
machine is busy."""


class PeerLostError(RunError):
    """Another rank ended, or did not answer; what it has to say is told there."""


@dataclass(frozen=True)
class Ranks:
    """A rank, and what it can do together with all others; each must then do the same, in the same order.

    Nothing here but :meth:`sum` waits for an accelerator: values go from host to host, by gloo.

    Attributes:
        rank: number of this process, from 0. The first one writes, prints and decides.
        size: how many there are; 1 is a process on its own, which nothing here makes wait.
        local_rank: number of this process on its machine, and so of its GPU.
        local_size: how many there are on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    _groups: dict[str, ProcessGroup] = field(default_factory=dict, repr=False, compare=False)

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def share(self, count: int, rank: int | None = None) -> range:
        """Which of ``count`` things are this rank's, or another one's: neighbours, as evenly as it goes."""
        rank = self.rank if rank is None else rank
        return range(count * rank // self.size, count * (rank + 1) // self.size)

    def gather(self, value: T) -> list[T]:
        """Every rank's value, in the order of ranks."""
        if self.alone:
            return [value]
        import torch.distributed as dist

        found: list[T | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]

    def told(self, value: T) -> T:
        """The first rank's value."""
        if self.alone:
            return value
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def highest(self, *values: int) -> tuple[int, ...]:
        """The highest of the ranks' values, place by place."""
        if self.alone:
            return values
        import torch
        import torch.distributed as dist

        found = torch.tensor(values)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return tuple(found.tolist())

    def group(self, device: torch.device) -> ProcessGroup:
        """What tensors on a device are exchanged by: NCCL on CUDA, gloo elsewhere."""
        import torch.distributed as dist

        backend = "nccl" if device.type == "cuda" else "gloo"
        if backend not in self._groups:
            self._groups[backend] = dist.new_group(backend=backend, timeout=TIMEOUT)
        return self._groups[backend]

    def sum(self, x: Tensor) -> Tensor:
        """``x`` of all ranks added up, element by element, without gradient, on its device."""
        import torch.distributed as dist

        x = x.detach().clone()
        dist.all_reduce(x, group=self.group(x.device))
        return x

    def leave(self) -> None:
        """Say that this rank ends within what all do together; the others end, too, once it has, without an error."""
        if self.alone:
            return
        from torch.distributed.distributed_c10d import _get_default_store

        with suppress(RuntimeError):  # where the launcher is gone, there is nobody to tell
            _get_default_store().set("left", str(self.rank))

    def another_left(self) -> bool:
        """Whether a rank did :meth:`leave`."""
        if self.alone:
            return False
        from torch.distributed.distributed_c10d import _get_default_store

        try:
            return bool(_get_default_store().check(["left"]))
        except (RuntimeError, ValueError):  # the launcher is gone, or the ranks have not met yet
            return False


ALONE = Ranks()
"""A process on its own."""


def started_by_launcher() -> bool:
    """Whether ``torchrun`` or the like started this process beside others."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


@contextmanager
def joined() -> Iterator[Ranks]:
    """A block in which this process is one of those that a launcher such as ``torchrun`` started, if one did.

    An error that the first rank tells, too, ends the others without another word.

    Raises:
        InputError: the launcher's environment variables are incomplete.
        PeerLostError: another rank ended inside the block, or did not answer for :data:`TIMEOUT`.
    """
    if not started_by_launcher():
        yield ALONE
        return
    ranks = _from_environment()
    end_with_launcher()
    # Read at import. Else every rank is warned when a part reaches all that it declares in may_be_idle.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch.distributed as dist

    try:
        dist.init_process_group("gloo", timeout=TIMEOUT)
        yield ranks
        dist.destroy_process_group()
    except Exception as error:
        if _is_loss(error):
            _end_with_one_that_left(ranks)
            cause = str(error).partition(". This is")[0].splitlines()[0]
            raise PeerLostError(f"rank {ranks.rank} lost another one, which may say why: {cause}") from error
        if _told_by_first(error, ranks):
            raise SystemExit(2 if isinstance(error, InputError) else 1) from None
        if sys.stderr is not None:
            sys.stderr.write(f"In rank {ranks.rank} of {ranks.size}:\n")
        raise


def _from_environment() -> Ranks:
    needed = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise InputError(
            f"several processes must be started by torchrun, or by --nproc (WORLD_SIZE is {os.environ['WORLD_SIZE']}, "
            f"but {', '.join(missing)} not set)"
        )
    rank, size, local_rank, local_size = (int(os.environ[name]) for name in needed[:4])
    return Ranks(rank, size, local_rank, local_size)


def _is_loss(error: Exception) -> bool:
    """Whether an error is about the way to another rank. Those of gloo have no type of their own."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or (type(error) is RuntimeError and "gloo" in str(error))


def _end_with_one_that_left(ranks: Ranks) -> None:
    """End this process if another rank did :meth:`Ranks.leave`; otherwise return."""
    if not ranks.another_left():
        return
    if ranks.is_first and sys.stderr is not None:
        sys.stderr.write("Another rank was interrupted within a step: the state saved before is kept.\n")
    raise SystemExit(INTERRUPTED) from None


def _told_by_first(error: Exception, ranks: Ranks) -> bool:
    """Whether the first rank fails with the same error, perhaps in more words; it tells the others that it does."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        store = _get_default_store()
        if ranks.is_first:
            store.set("error", str(error))
            return False
        store.wait(["error"], TELLING)
        return str(error) in store.get("error").decode()
    except Exception:  # no way to the first rank: then better twice than not at all
        return False
