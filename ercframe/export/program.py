"""A model as a program that other runtimes can run: one dialogue of any number of turns in, logits out."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ercframe.errors import RunError
from ercframe.layout import Layout
from ercframe.model import Model
from ercframe.tensors import Context

# Shape letters: L turns of the dialogue, D features, C emotions.

_TOO_SPECIAL = ("Constraints violated", "data-dependent", "specialized")
"""What PyTorch's messages hold when code takes a size or a value for a Python number."""
_EXAMPLE = 7  # turns of the dialogue that is traced; any number above 1 traces the same


class DialogueProgram(nn.Module):
    """A model as a function of the tensors of one dialogue.

    The dialogue is the unit because it is what a model's result depends on: several dialogues are several calls, with
    the same results, and no caller has to lay out a batch.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: dict[str, Tensor], speaker: Tensor, available: dict[str, Tensor]) -> Tensor:
        """Logits of every turn, ``(L, C)``.

        Args:
            features: of each modality, ``(L, D)``, standardised; zeros where a turn lacks it.
            speaker: speaker ids, ``(L,)`` integers.
            available: of each modality, which turns have it, ``(L,)`` bool.
        """
        layout = Layout.of_one(speaker.shape[0], speaker.device)
        logits: Tensor = self.model(features, Context(layout, speaker, available)).decision.logits
        return logits


def trace(model: Model, widths: Mapping[str, int]) -> ExportedProgram:
    """The program of a model, for any number of turns; what it computes is yet to be compared.

    Args:
        model: in evaluation mode, on the host, in float32.
        widths: features of each modality, D.

    Raises:
        RunError: PyTorch cannot export the model; says why in a line.
    """
    features = {name: torch.zeros(_EXAMPLE, width) for name, width in widths.items()}
    available = {name: torch.ones(_EXAMPLE, dtype=torch.bool) for name in widths}
    turns = {0: Dim("turns", min=1)}
    try:
        with _quietly(), torch.no_grad():
            program = torch.export.export(
                DialogueProgram(model).eval(),
                (features, torch.zeros(_EXAMPLE, dtype=torch.long), available),
                dynamic_shapes=(dict.fromkeys(widths, turns), turns, dict.fromkeys(widths, turns)),
            )
    except Exception as error:  # whatever a component's code makes PyTorch's tracer raise
        raise RunError(_why_not(error)) from error
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # paths of this machine, which would be written into the file
    return program


def write_onnx(program: ExportedProgram, path: str, names: list[str]) -> None:
    """Translate a program into ONNX and write the file.

    Args:
        program: what :func:`trace` made.
        path: where to write it.
        names: of its inputs, in order.

    Raises:
        RunError: an operation has no translation; says which.
    """
    try:
        with _quietly():
            translated = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=names, output_names=["logits"]
            )
            assert translated is not None
            translated.save(path)
    except Exception as error:  # the exporter's own, of many kinds
        raise RunError(f"PyTorch cannot translate it into ONNX: {_first_line(error)}") from error


def _why_not(error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return _first_line(error)
    if any(words in str(error) for words in _TOO_SPECIAL):
        return (
            "its code goes by the number of turns, as len() and loops do, or by values, as item() does, "
            "so a program would fit only what was traced"
        )
    return f"PyTorch cannot export it: {type(error).__name__}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip()[:300] if lines else type(error).__name__


@contextmanager
def _quietly() -> Iterator[None]:
    """A block in which PyTorch's exporters keep their warnings and graphs to themselves; errors still come."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
