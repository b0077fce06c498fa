"""Short runs on generated conversations."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

SMALL = ["dataset.train=24", "dataset.dev=8", "dataset.test=8", "trainer.epochs=2", "protocol.seeds=1"]
EXACT = ["trainer.deterministic=true", "trainer.checkpoint_seconds=0"]


def arguments(name: str, device: object, out: Path, *overrides: str) -> list[str]:
    """What ``ercframe`` is called with."""
    return ["run", name, "--demo", "--out", str(out), *SMALL, f"trainer.device={device}", *overrides]


def process(*words: object) -> subprocess.Popen:
    """``ercframe`` in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "ercframe", *map(str, words)])


def finish(*words: object) -> None:
    """Run ``ercframe`` in a process of its own, to a good end."""
    assert process(*words).wait(timeout=300) == 0


def run_in(out: Path) -> Path:
    """The only run folder."""
    (recipe,) = out.rglob("recipe.yaml")
    return recipe.parent


def summary(out: Path) -> dict[str, Any]:
    """Of the only run."""
    return json.loads((run_in(out) / "summary.json").read_text(encoding="utf-8"))


def weights(out: Path) -> dict[str, Tensor]:
    """Everything that the only run's last checkpoint holds, by file and name."""
    files = sorted((run_in(out) / "seed-0" / "checkpoints" / "last").glob("*.safetensors"))
    return {f"{path.name}:{name}": x for path in files for name, x in load_file(path).items()}
