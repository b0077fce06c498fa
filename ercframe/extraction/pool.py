"""Reading blocks, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ercframe import plugins
from ercframe.components import Extractor
from ercframe.data.views import UtteranceView
from ercframe.extraction.blocks import Block, Missing, Readings, read

KILLED = "the process that read it was killed"


@dataclass(frozen=True)
class Maker:
    """How another process makes the same extractor.

    Attributes:
        name: of the extractor.
        settings: of its config, as JSON.
        files: plugin files to load.
    """

    name: str
    settings: str
    files: tuple[Path, ...] = ()

    def make(self) -> Extractor:
        """The extractor."""
        kind: Any = plugins.load(self.files).get("extractor", self.name)
        extractor: Extractor = kind(kind.Config.model_validate_json(self.settings))
        return extractor


def read_blocks(
    extractor: Extractor, maker: Maker, blocks: Iterable[Block], workers: int
) -> Iterator[tuple[Block, Readings]]:
    """Every block with what was read of it, as they are finished.

    Each of several processes gets a block when the results of its last one are taken, so that a kill costs at most one
    block for each. A file that kills the process that reads it is broken, and the others go on.
    """
    if workers <= 1:
        for block in blocks:
            yield block, read(extractor, block.turns)
        return
    pending = iter(blocks)
    while True:
        interrupted: list[Block] = []
        with _pool(maker, workers) as pool:
            yield from _read_in(pool, pending, workers, interrupted)
        if not interrupted:
            return
        for block in interrupted:
            yield block, [reading for turn in block.turns for reading in _read_alone(maker, turn)]


def _read_in(
    pool: ProcessPoolExecutor, pending: Iterator[Block], workers: int, interrupted: list[Block]
) -> Iterator[tuple[Block, Readings]]:
    """Read until there is no more, or a process dies; then the blocks that were being read are ``interrupted``."""
    running: dict[Future[Readings], Block] = {}
    while True:
        for block in islice(pending, 0 if interrupted else workers - len(running)):
            try:
                running[pool.submit(_read_here, block.turns)] = block
            except BrokenProcessPool:
                interrupted.append(block)
                break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            block = running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                interrupted.append(block)
            else:
                yield block, future.result()


def _read_alone(maker: Maker, turn: UtteranceView) -> Readings:
    try:
        with _pool(maker, 1) as pool:
            return pool.submit(_read_here, (turn,)).result()
    except BrokenProcessPool:
        return [Missing(KILLED, True)]


def _pool(maker: Maker, workers: int) -> ProcessPoolExecutor:
    """New processes: one that was forked from a process with threads or a GPU may hang."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (maker,))


_made: Extractor | Exception


def _start(maker: Maker) -> None:
    """Make the extractor of a process that reads."""
    global _made
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)  # the processes share the cores
    try:
        _made = maker.make()
    except Exception as error:  # raised here it would look as if a file had killed the process
        _made = error


def _end_with_parent() -> None:
    """A killed parent cannot end its processes, and they would wait for more work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_here(turns: tuple[UtteranceView, ...]) -> Readings:
    if isinstance(_made, Exception):
        raise _made
    return read(_made, turns)
