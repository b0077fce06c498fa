"""The kinds of component: what each is built from, what it takes and what it returns.

A plugin subclasses one of these, sets ``name``, declares its knobs in a nested ``Config`` and implements one
method. The constructor arguments are the data flow: the component's own knobs, the corpus, what comes before it.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from ercframe.data.dialogue import Dialogue
from ercframe.data.records import Corpus
from ercframe.settings import Settings
from ercframe.specs import DatasetInfo, FusedSpec, ModelSpec, StreamSpec
from ercframe.tensors import Batch, Context, Decision, FusionOutput, ModelOutput, Streams, Term


class ComponentConfig(Settings):
    """Base of every component's ``Config``: frozen, unknown keys refused, each field with a description."""


class Component(ABC):
    """Anything a plugin provides.

    Attributes:
        kind: the slot it fills; set by the bases below.
        name: what a recipe calls it; lower case, unique in its kind.
        Config: its knobs. Every field has a ``description``; defaults and bounds belong there too.
        example_configs: small settings that the contract suite tries, one for each way of working worth trying.
            The default suits a component that is quick, and works, with nothing set. They meet corpora with the
            modalities ``text``, ``audio`` and ``visual``, or the first of these, and four emotions.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Config: ClassVar[type[ComponentConfig]] = ComponentConfig
    example_configs: ClassVar[Sequence[Mapping[str, object]]] = ({},)

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]


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
        """The dialogues of ``train``, ``dev`` or ``test``; empty where the corpus has no such split."""


class Transform(Component):
    """A change of a training batch, such as hiding a modality. Built from ``(config, dataset)``.

    It returns a new batch, never edits the one it got, draws only from ``generator`` (on the host) and records
    what it hid in ``Batch.hidden``.
    """

    kind = "transform"

    @abstractmethod
    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Change a batch, on the host, before it goes to the device."""


class Part(Component, nn.Module):
    """A component with parameters.

    It is first built on the device ``meta``, where tensors have shapes but no values, to see that the parts fit: a
    constructor may make tensors but must not read them.

    Attributes:
        sees_future: True where an utterance's result may depend on later ones. Live prediction needs it False.
        may_be_idle: parameters (names relative to the component) that may get no gradient, each with the reason.
    """

    sees_future: bool = False
    may_be_idle: Mapping[str, str] = {}

    def __init__(self) -> None:
        nn.Module.__init__(self)


class Encoder(Part):
    """Features to streams. Built from ``(config, dataset)``; sets ``spec``.

    Attributes:
        spec: the streams it emits and their widths.
        unread_help: a sentence for the error when a fusion leaves streams unread, such as the setting that emits
            fewer; may be empty.
    """

    kind = "encoder"
    spec: StreamSpec
    sees_future = True
    unread_help: ClassVar[str] = ""

    @abstractmethod
    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        """Encode ``features`` (``(N, D)`` per modality) to one tensor ``(N, D)`` per stream."""


class Fusion(Part):
    """Streams to one joint representation. Built from ``(config, dataset, streams)``; sets ``spec``."""

    kind = "fusion"
    spec: FusedSpec

    @abstractmethod
    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        """Fuse the streams, ``(N, D)`` each."""


class Classifier(Part):
    """The fused representation to logits. Built from ``(config, dataset, fused)``."""

    kind = "classifier"

    @abstractmethod
    def forward(self, fused: FusionOutput, context: Context) -> Decision:
        """Score every emotion: logits ``(N, C)``."""


class Loss(Part):
    """Named loss terms. Built from ``(config, dataset, model)``. May own parameters, such as auxiliary heads.

    Attributes:
        terms: names, or prefixes before an underscore, of the terms it returns; a recipe weighs each by its prefix.
        couples_rows: True where a term compares utterances with each other, as a contrastive loss does.
    """

    kind = "loss"
    terms: ClassVar[tuple[str, ...]]
    couples_rows: ClassVar[bool] = False

    @abstractmethod
    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        """Sum each term over the scored rows. With nothing scored, totals are zeros attached to the graph."""

    def predictions(self, output: ModelOutput) -> dict[str, Tensor]:
        """Logits ``(N, C)`` of auxiliary heads, by name, for reports; none by default."""
        return {}


class Importer(Component):
    """Foreign files to a corpus, from which a bundle is written once. Built from ``(config)``.

    Two config fields have options of their own in ``ercframe data import``: ``modalities`` (name to arrays, in
    ``--modality``) and ``features`` (a file, in ``--features``). Every other field is set by ``KEY=VALUE``.
    """

    kind = "importer"

    @abstractmethod
    def read(self, source: Path) -> Corpus:
        """Read a file or folder: records, feature arrays in the order of the records, and what was noticed.

        Raises:
            InputError: the source cannot be read correctly; lists every problem. What can be read correctly but
                deserves a look becomes a :class:`~ercframe.data.findings.Finding` of the corpus.
        """


KINDS: dict[str, type[Component]] = {
    base.kind: base for base in (Dataset, Transform, Encoder, Fusion, Classifier, Loss, Importer)
}
"""Every kind with its base class, in the order of the data flow; importers, which come before all of it, last."""

__all__ = [
    "KINDS",
    "Batch",
    "Classifier",
    "Component",
    "ComponentConfig",
    "Context",
    "Dataset",
    "DatasetInfo",
    "Decision",
    "Encoder",
    "FusedSpec",
    "Fusion",
    "FusionOutput",
    "Importer",
    "Loss",
    "ModelOutput",
    "ModelSpec",
    "Part",
    "StreamSpec",
    "Streams",
    "Term",
    "Transform",
]
