"""A training that waits to be stopped: quick at first, then so slow that it cannot end before a test is at it."""

from pathlib import Path

PLUGIN = '''
import time
from pathlib import Path
from ercframe import Transform, hookimpl

QUICK = Path({quick!r})


class Slow(Transform):
    """Takes a second for every batch of this process but the first few, for as long as a file tells their number."""

    name = "slow"

    def __init__(self, config, dataset):
        pass

    def forward(self, batch, generator):
        global batches
        batches += 1
        try:
            wait = batches > int(QUICK.read_text())
        except FileNotFoundError:
            wait = False
        if wait:
            time.sleep(1)
        return batch


batches = 0


@hookimpl
def ercframe_components():
    return [Slow]
'''


class SlowTraining:
    """Transform ``slow`` in a plugin file of a folder.

    Attributes:
        options: of ``ercframe run``, which have a training go through it after the transforms given.
    """

    def __init__(self, folder: Path, quick: int, before: str = "") -> None:
        self._quick = folder / "quick"
        plugin = folder / "slow.py"
        plugin.write_text(PLUGIN.format(quick=str(self._quick)))
        self.options = ["--plugin", str(plugin), f"transforms=[{before}{{type: slow}}]"]
        self.begin(quick)

    def begin(self, quick: int) -> None:
        """Let every process that starts from now on train slowly after ``quick`` batches."""
        self._quick.write_text(str(quick))

    def end(self) -> None:
        """Let all train as fast as they can."""
        self._quick.unlink()
