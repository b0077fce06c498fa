"""The folder that one execution of a recipe writes, and nothing else writes."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

import ercframe
from ercframe.errors import InputError
from ercframe.files import append_json_line, remove_parts, write_json, write_json_lines, write_text
from ercframe.registry import Origin
from ercframe.snapshots import Snapshots
from ercframe.tensor_files import save_tensors

EXPORTED = "export.json"
"""The file by which a folder is recognised as an export of a run."""


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

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A run folder that is there.

        Raises:
            InputError: it is none, or its run was stopped before anything was trained.
        """
        if (path / EXPORTED).is_file():
            raise InputError(f"{path} must be a run folder (got an exported model, which ercframe predict takes)")
        if not (path / "recipe.yaml").is_file():
            raise InputError(f"{path} must be a run folder ({_why_not(path)})")
        return cls(path)

    def remove_parts(self) -> None:
        """Remove what a process that was killed left half written."""
        remove_parts(self.path)

    def copy_plugins(self, files: Iterable[Path]) -> list[str]:
        """Keep copies of plugin files; their paths in this folder."""
        copies = plugin_copies(files)
        for copy, file in copies.items():
            (self.path / "plugins").mkdir(exist_ok=True)
            shutil.copyfile(file, self.path / copy)
        return list(copies)

    def write_recipe(self, text: str) -> None:
        """Keep the resolved recipe. What is written last makes the folder one that can be resumed."""
        write_text(self.path / "recipe.yaml", text)

    def write_environment(self, found: Mapping[str, Any]) -> None:
        """Keep what the run ran on, and what it must be resumed with."""
        write_json(self.path / "environment.json", found)

    def read_environment(self) -> dict[str, Any]:
        """What :meth:`write_environment` kept."""
        found: dict[str, Any] = json.loads((self.path / "environment.json").read_text(encoding="utf-8"))
        return found

    def id(self) -> str:
        """What no other run has, and this one keeps wherever the folder goes."""
        recorded = self.read_environment()
        return str(recorded.get("id") or digest(json.dumps(recorded["started"]).encode())[:16])  # versions before ids

    def file_digests(self) -> dict[str, str]:
        """SHA-256 of the recipe, where it is there, and of every plugin file."""
        files = [self.path / "recipe.yaml", *sorted((self.path / "plugins").glob("*.py"))]
        return {str(f.relative_to(self.path)): digest(f.read_bytes()) for f in files if f.is_file()}

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Keep the result; reports read it."""
        write_json(self.path / "summary.json", summary)

    def read_summary(self) -> dict[str, Any]:
        """The result as it was written.

        Raises:
            FileNotFoundError: there is none yet.
        """
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

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add the line of an epoch."""
        append_json_line(self.path / "metrics.jsonl", row)

    def read_metrics(self) -> list[dict[str, Any]]:
        """A row for each epoch so far; none where there is no log. A line that is only half there is left out."""
        try:
            log = (self.path / "metrics.jsonl").read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in log[: log.rfind(b"\n") + 1].splitlines()]

    def write_divergence(self, found: Mapping[str, Any]) -> None:
        """Keep where the loss ceased to be finite; the states in :attr:`snapshots` are from before."""
        write_json(self.path / "diverged.json", found)

    def read_divergence(self) -> dict[str, Any] | None:
        """What :meth:`write_divergence` kept; None where there is nothing."""
        path = self.path / "diverged.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def forget(self) -> None:
        """Remove what only an unfinished seed needs: states to go on from, and a note of a divergence."""
        self.snapshots.remove()
        (self.path / "diverged.json").unlink(missing_ok=True)

    def write_predictions(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep one line per scored utterance."""
        write_json_lines(self.path / "predictions.jsonl", rows)

    def read_predictions(self, split: str) -> list[dict[str, Any]]:
        """The lines of a split, such as ``dev``; none where the run has no such split.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self.path / "predictions.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_bytes().splitlines()]
            return [row for row in rows if row["split"] == split]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None

    def write_representations(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep what the model computed for every utterance, named ``split.name``.

        ``split.label`` says whose they are: rows in which it is not -1 stand in the order of the split's predictions.
        """
        save_tensors(self.path / "representations.safetensors", tensors)

    @property
    def snapshots(self) -> Snapshots:
        """States from which the seed's training can go on; there are none once it is over."""
        return Snapshots(self.path / "checkpoints" / "resume")

    def checkpoint(self, which: str) -> Path:
        """The weights of the ``best`` or the ``last`` epoch."""
        return self.path / "checkpoints" / which / "weights.safetensors"

    def save_checkpoint(self, which: str, weights: Mapping[str, Tensor], epoch: int) -> None:
        """Save a learner's weights: model and objective, each under its prefix, in one file, so that they agree.

        Args:
            which: ``best`` or ``last``.
            weights: the learner's ``state_dict``.
            epoch: number of the last epoch that was finished when the weights were these.
        """
        save_tensors(self.checkpoint(which), weights, {"epoch": str(epoch), "ercframe": ercframe.__version__})

    def load_checkpoint(self, which: str, learner: nn.Module) -> int:
        """Load weights into a learner of the same recipe; returns the epoch they are from."""
        with safe_open(self.checkpoint(which), framework="pt") as file:
            learner.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
            return int(file.metadata()["epoch"])


def plugin_copies(files: Iterable[Path]) -> dict[str, Path]:
    """Where a run folder keeps plugin files: a path in it for each, different also where two files share a name."""
    copies: dict[str, Path] = {}
    for file in files:
        name, times = f"plugins/{file.name}", 1
        while name in copies:
            times += 1
            name = f"plugins/{file.stem}_{times}{file.suffix}"
        copies[name] = file
    return copies


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


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


def _why_not(path: Path) -> str:
    """What a path is that is no run folder."""
    if not path.is_dir():
        return "it is a file" if path.exists() else "there is no such folder"
    if runs := sorted(inner.parent for inner in path.glob("*/recipe.yaml")):
        return f"got a folder of runs; name one of them, such as {runs[-1]}"
    if recipes := sorted(inner.parent.parent for inner in path.glob("*/*/recipe.yaml")):
        return f"got a folder of recipes' folders; name one of them, such as {recipes[-1]}"
    return "it has no recipe.yaml; a run that was stopped before that was written has trained nothing: begin it again"
