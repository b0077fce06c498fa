"""Writing the programs of a model, each only if the written file does what the model does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.export import ExportedProgram

from ercframe.errors import RunError
from ercframe.export.agreement import Cases, Run
from ercframe.export.program import trace, write_onnx
from ercframe.exported import Program
from ercframe.extras import require
from ercframe.model import Model

Kind = Literal["torch", "onnx"]

FILES: dict[Kind, str] = {"torch": "model.pt2", "onnx": "model.onnx"}


def write_programs(
    folder: Path,
    model: Model,
    widths: Mapping[str, int],
    cases: Cases,
    onnx: bool,
    on_step: Callable[[str], None] = lambda step: None,
) -> dict[Kind, Program]:
    """Write a program of PyTorch and, where asked for, one of ONNX.

    Args:
        folder: where to.
        model: in evaluation mode, on the host.
        widths: features of each modality.
        cases: what each written file is compared on.
        onnx: whether to write ONNX, too.
        on_step: told in words what is being done.

    Returns:
        For each that was asked for what became of it: one that cannot be made, or differs, says why and has no file.
    """
    kinds: tuple[Kind, ...] = ("torch", "onnx") if onnx else ("torch",)
    on_step("tracing the model")
    try:
        traced = trace(model, widths)
    except RunError as error:
        return {kind: Program(why_not=str(error)) for kind in kinds}
    return {kind: _written(kind, folder / FILES[kind], traced, widths, cases, on_step) for kind in kinds}


def no_programs(why: str, onnx: bool) -> dict[Kind, Program]:
    """What :func:`write_programs` returns where nothing can be compared."""
    kinds: tuple[Kind, ...] = ("torch", "onnx") if onnx else ("torch",)
    return {kind: Program(why_not=why) for kind in kinds}


def _written(
    kind: Kind,
    path: Path,
    traced: ExportedProgram,
    widths: Mapping[str, int],
    cases: Cases,
    on_step: Callable[[str], None],
) -> Program:
    on_step(f"writing {path.name} and comparing it with the model")
    try:
        run = _torch_file(path, traced) if kind == "torch" else _onnx_file(path, traced, list(widths))
        return Program(file=path.name, agreement=cases.agreement(run))
    except RunError as error:
        for left in path.parent.glob(f"{path.name}*"):  # ONNX keeps weights of more than 2 GB in a file of their own
            left.unlink()
        return Program(why_not=str(error))


def _torch_file(path: Path, traced: ExportedProgram) -> Run:
    """Write the program; returns what is read back from the file."""
    torch.export.save(traced, path)
    read = torch.export.load(path).module()

    def run(features: Mapping[str, Tensor], speaker: Tensor, available: Mapping[str, Tensor]) -> Tensor:
        with torch.no_grad():
            logits: Tensor = read(dict(features), speaker, dict(available))
        return logits

    return run


def onnx_names(modalities: list[str]) -> list[str]:
    """Names of the inputs of an ONNX file, in the order of a program's."""
    return [*(f"features.{m}" for m in modalities), "speaker", *(f"available.{m}" for m in modalities)]


def _onnx_file(path: Path, traced: ExportedProgram, modalities: list[str]) -> Run:
    """Write the ONNX file; returns what ONNX Runtime reads back from it."""
    names = onnx_names(modalities)
    write_onnx(traced, str(path), names)
    session = require("onnxruntime", "export", "--onnx").InferenceSession(path)
    present = [given.name for given in session.get_inputs()]
    if present != names:
        raise RunError(f"its inputs must be {', '.join(names)} (got {', '.join(present)})")

    def run(features: Mapping[str, Tensor], speaker: Tensor, available: Mapping[str, Tensor]) -> Tensor:
        values = [*(features[m] for m in modalities), speaker, *(available[m] for m in modalities)]
        (logits,) = session.run(["logits"], {name: x.numpy() for name, x in zip(names, values, strict=True)})
        return torch.from_numpy(logits)

    return run


def require_onnx() -> None:
    """Refuse ``--onnx`` before any work where its packages are missing.

    Raises:
        InputError: one is; says how to install it.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, "export", "--onnx")
