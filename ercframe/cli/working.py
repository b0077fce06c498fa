"""What is being done, on a line of the terminal that goes when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def working() -> Iterator[Callable[[str], None]]:
    """A function that says what is being done, where somebody watches."""
    from rich.console import Console

    watched = Console(stderr=True)
    if not watched.is_terminal:
        yield lambda step: None
        return
    with watched.status("") as status:
        yield lambda step: status.update(f"{step} …")
