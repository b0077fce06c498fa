"""The folder that one execution of a recipe writes, and nothing else writes."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import ercframe
from ercframe.errors import InputError
from ercframe.files import link_or_copy, write_atomically, write_json, write_json_lines, write_text
from ercframe.registry import Origin


class RunFolder:
    """``runs/RECIPE/TIME/``: recipe, environment, summary, and a folder for each seed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, recipe: str) -> RunFolder:
        """Make a new folder under ``root/recipe``, named by the time; never one that exists.

        Raises:
            InputError: the folder cannot be made.
        """
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        for attempt in range(1, 1000):
            path = root / recipe / (stamp if attempt == 1 else f"{stamp}_{attempt}")
            try:
                path.mkdir(parents=True)
                return cls(path)
            except FileExistsError:
                continue
            except OSError as error:
                raise InputError(f"cannot make the run folder {path}: {error.strerror}") from error
        raise InputError(f"cannot find a free name for a run folder under {root / recipe}")

    def copy_plugins(self, files: Iterable[Path]) -> list[str]:
        """Keep copies of plugin files; their paths in this folder, different also where two files share a name."""
        names: list[str] = []
        for file in files:
            name, times = file.name, 1
            while name in names:
                times += 1
                name = f"{file.stem}_{times}{file.suffix}"
            names.append(name)
            (self.path / "plugins").mkdir(exist_ok=True)
            shutil.copyfile(file, self.path / "plugins" / name)
        return [f"plugins/{name}" for name in names]

    def write_recipe(self, text: str) -> None:
        """Keep the resolved recipe."""
        write_text(self.path / "recipe.yaml", text)

    def write_environment(self, device: torch.device, precision: str, origins: Mapping[str, Origin]) -> None:
        """Keep what the run ran on: versions, device, precision, and where each component came from."""
        write_json(self.path / "environment.json", environment(device, precision, origins))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Keep the result; reports read it."""
        write_json(self.path / "summary.json", summary)

    def read_summary(self) -> dict[str, Any]:
        """The result as it was written."""
        found: dict[str, Any] = json.loads((self.path / "summary.json").read_text(encoding="utf-8"))
        return found

    def seed(self, seed: int) -> SeedFolder:
        """The folder of one seed."""
        return SeedFolder(self.path / f"seed-{seed}")


class SeedFolder:
    """``seed-N/``: metrics, predictions, representations and checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_metrics(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep one line per epoch."""
        write_json_lines(self.path / "metrics.jsonl", rows)

    def write_predictions(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep one line per scored utterance."""
        write_json_lines(self.path / "predictions.jsonl", rows)

    def write_representations(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep what the model computed for every utterance, named ``split.name``.

        ``split.label`` says whose they are: rows in which it is not -1 stand in the order of the split's predictions.
        """
        _save_tensors(self.path / "representations.safetensors", tensors)

    def checkpoint(self, which: str) -> Path:
        """The weights of the ``best`` or the ``last`` epoch."""
        return self.path / "checkpoints" / which / "weights.safetensors"

    def save_checkpoint(self, learner: nn.Module, epoch: int, is_best: bool) -> None:
        """Save the last epoch's model and objective, each under its prefix, in one file, so that they cannot disagree.

        The best epoch's file is another name for the same bytes where the file system can do that.
        """
        last = self.checkpoint("last")
        _save_tensors(last, learner.state_dict(), {"epoch": str(epoch), "ercframe": ercframe.__version__})
        if is_best:
            write_atomically(self.checkpoint("best"), lambda temporary: link_or_copy(last, temporary))

    def load_checkpoint(self, which: str, learner: nn.Module) -> int:
        """Load weights into a learner of the same recipe; returns the epoch they are from."""
        with safe_open(self.checkpoint(which), framework="pt") as file:
            learner.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
            return int(file.metadata()["epoch"])


def _save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors atomically.

    Raises:
        OSError: the file cannot be written; safetensors itself has an error of its own for that.
    """
    # Copies, since a file may not hold one tensor under two names, which is what tied weights are.
    held = {name: x.detach().to("cpu", copy=True).contiguous() for name, x in tensors.items()}
    try:
        write_atomically(path, lambda temporary: save_file(held, temporary, metadata=metadata))
    except SafetensorError as error:
        raise OSError(f"{path}: {error}") from error


def environment(device: torch.device, precision: str, origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Versions, device and plugins, for whoever wants to repeat a run."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
    return {
        "ercframe": ercframe.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.platform(),
        "device": str(device),
        "precision": precision,
        "accelerator": accelerator,
        "threads": torch.get_num_threads(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "components": {name: str(origin) for name, origin in origins.items()},
    }
