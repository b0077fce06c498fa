"""Components around the data: where conversations come from, and what is done to batches of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

import torch

from ercframe.components.base import Component
from ercframe.data.dialogue import Dialogue
from ercframe.data.intake import Intake
from ercframe.data.records import Corpus
from ercframe.specs import DatasetInfo
from ercframe.tensors import Batch


class Dataset(Component):
    """Conversations. Built from ``(config, modalities)``, the modalities named by the recipe, in its order.

    Raise :class:`~ercframe.errors.InputError` in the constructor where the data is missing or damaged.
    """

    kind = "dataset"

    @property
    @abstractmethod
    def info(self) -> DatasetInfo:
        """What a model needs to know; ``class_counts`` may be empty, since they depend on the protocol."""

    @abstractmethod
    def split(self, name: str) -> Sequence[Dialogue]:
        """The dialogues of ``train``, ``dev`` or ``test``; empty where the corpus has no such split.

        For a corpus that may not fit into memory, a :class:`~ercframe.data.dialogues.Dialogues`, which reads each
        dialogue when it is asked for.
        """

    def fitted_on(self, dialogues: Collection[str]) -> Self:
        """The same dialogues in the same splits, as they are where training is on other ones than the corpus's own.

        What was learnt from ``train``, such as mean and scale of the features, is learnt from these dialogues instead.
        Itself, the default, where nothing was.

        Args:
            dialogues: ids of those that are trained on.
        """
        return self

    def fingerprint(self) -> str:
        """What changes with the data behind the same settings, such as a digest: a run is resumed on the same only."""
        return ""

    def provenance(self) -> Mapping[str, str]:
        """Where the data comes from, in words for people, such as ``{"licence": …, "imported by": …}``; runs keep it.

        ``licence``, where it is known, is the terms of use. Nothing by default.
        """
        return {}

    def intake(self) -> Intake | None:
        """How new conversations become what it hands out; runs keep it. None, the default: there is no way."""
        return None


class Transform(Component):
    """A change of a training batch, such as hiding a modality. Built from ``(config, dataset)``.

    It returns a new batch, never edits the one it got, draws only from ``generator`` (on the host) and records
    what it hid in ``Batch.hidden``.
    """

    kind = "transform"

    @abstractmethod
    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Change a batch, on the host, before it goes to the device."""


class Importer(Component):
    """Foreign files to a corpus, from which a bundle is written once. Built from ``(config)``.

    Two config fields have options of their own in ``ercframe data import``: ``modalities`` (name to arrays, in
    ``--modality``) and ``features`` (a file, in ``--features``). Every other field is set by ``KEY=VALUE``.
    """

    kind = "importer"

    @classmethod
    def example_source(cls, folder: Path) -> tuple[Path, Mapping[str, object]] | None:
        """Write a small source into an empty ``folder``, for the contract suite.

        Returns:
            The source and the settings to read it with; None, the default, where no example can be written, and the
            checks that need one are left out.
        """
        return None

    @abstractmethod
    def read(self, source: Path) -> Corpus:
        """Read a file or folder: records, feature arrays in the order of the records, and what was noticed.

        Raises:
            InputError: the source cannot be read correctly; lists every problem. What can be read correctly but
                deserves a look becomes a :class:`~ercframe.data.findings.Finding` of the corpus.
        """
