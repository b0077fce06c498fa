"""The kinds of component: what each is built from, what it takes and what it returns.

A plugin subclasses one of these, sets ``name``, declares its knobs in a nested ``Config`` and implements one
method. The constructor arguments are the data flow: the component's own knobs, the corpus, what comes before it.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ercframe.data.dialogue import Dialogue
from ercframe.data.fitted import Fitted
from ercframe.data.intake import Intake
from ercframe.data.records import Corpus
from ercframe.data.views import Need, Reading, UtteranceView
from ercframe.settings import Settings
from ercframe.specs import DatasetInfo, FusedSpec, ModelSpec, StreamSpec
from ercframe.tensors import Batch, Context, Decision, FusionOutput, ModelOutput, Streams, Term
from ercframe.tracked_run import TrackedRun


class ComponentConfig(Settings):
    """Base of every component's ``Config``: frozen, unknown keys refused, each field with a description."""


class Component(ABC):
    """Anything a plugin provides.

    Attributes:
        kind: the slot it fills; set by the bases below.
        name: what a recipe calls it; lower case, unique in its kind.
        Config: its knobs. Every field has a ``description``; defaults and bounds belong there too.
        known_exceptions: checks of the contract suite that it is known to fail, each with the reason. It says so
            wherever it is checked; one that it passes is an error.
        example_configs: small settings that the contract suite tries, one for each way of working worth trying.
            The default suits a component that is quick, and works, with nothing set. They meet corpora with the
            modalities ``text``, ``audio`` and ``visual``, or the first of these, and four emotions.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    Config: ClassVar[type[ComponentConfig]] = ComponentConfig
    known_exceptions: ClassVar[Mapping[str, str]] = {}
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
        """The dialogues of ``train``, ``dev`` or ``test``; empty where the corpus has no such split.

        For a corpus that may not fit into memory, a :class:`~ercframe.data.dialogues.Dialogues`, which reads each
        dialogue when it is asked for.
        """

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


class Part(Component, nn.Module):
    """A component with parameters.

    It is first built on the device ``meta``, where tensors have shapes but no values, to see that the parts fit: a
    constructor may make tensors but must not read them.

    Attributes:
        sees_future: True where an utterance's result may depend on later ones. Live prediction needs it False.
        causal_help: settings by which ``sees_future`` becomes False, such as ``("encoder.window={future: 0}",)``, for
            an error; empty where there are none.
        may_be_idle: parameters (names relative to the component) that may get no gradient, each with the reason.
    """

    sees_future: bool = False
    causal_help: ClassVar[tuple[str, ...]] = ()
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
        couples_rows: True where a term compares utterances with each other, as a contrastive loss does. Where several
            processes share a batch, it gets the utterances of all of them.
    """

    kind = "loss"
    terms: ClassVar[tuple[str, ...]]
    couples_rows: ClassVar[bool] = False

    @abstractmethod
    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        """Sum each term over the scored rows. With nothing scored, totals are zeros attached to the graph."""

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """What the terms of :meth:`forward` will be divided by, from the batch alone: a scalar for each of ``terms``.

        Accumulated batches are divided by the sum of these, which must be known before the first backward pass. The
        number of scored utterances by default; a loss that weighs them, or leaves some out, says so here. It is not
        asked of a loss with ``couples_rows``.
        """
        return dict.fromkeys(self.terms, torch.full((), float(len(batch.scored)), device=batch.labels.device))

    def predictions(self, output: ModelOutput) -> dict[str, Tensor]:
        """Logits ``(N, C)`` of auxiliary heads, by name, for reports; none by default."""
        return {}


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


class Extractor(Component):
    """Turns to the features of a modality. Built from ``(config)``, quickly: a model is loaded by ``load``.

    :meth:`read` takes one turn to whatever :meth:`extract` works on; where there are files to read, several processes
    do it. :meth:`extract` gets what was read of ``batch_size`` turns, in the process that has the device. Both must
    depend on nothing but their arguments, the settings and what was fitted: an extraction that was stopped goes on
    from the batch it had reached, and a conversation that is predicted on later is extracted in the same way.

    Attributes:
        modality: what the features are called in a bundle if nobody says otherwise.
        needs: what a turn must have; others are not available, and neither read nor extracted.
        version: of the values; another one whenever the same settings give other values.
        packages: distributions whose versions are recorded, since another version may give other values.
        licence: terms that using the values is under, beside those of the corpus; may be empty.
        on_device: whether :meth:`load` has use for a device.
        fits: whether it learns something from the training turns first; then :meth:`fit`, :meth:`fitted` and
            :meth:`restore` must be there.
        batch_size: turns that :meth:`extract` gets at a time. A setting where another number may change the values.
    """

    kind = "extractor"
    modality: ClassVar[str]
    needs: ClassVar[tuple[Need, ...]]
    version: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    licence: ClassVar[str] = ""
    on_device: ClassVar[bool] = False
    fits: ClassVar[bool] = False
    batch_size: int = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """A name for each column, where columns mean something to people."""
        return ()

    @property
    def revision(self) -> str:
        """What identifies the model beyond its name, such as a commit or a digest; known before :meth:`load`."""
        return ""

    def load(self, device: str) -> None:
        """Load the model to ``"cpu"``, ``"cuda:0"`` or the like; called once, before :meth:`fit` and :meth:`extract`.

        Raises:
            InputError: there is no such model, or a package is missing.
        """

    def read(self, utterance: UtteranceView) -> Reading:
        """Read what :meth:`extract` works on; the utterance itself by default. Called without :meth:`load` before.

        Raises:
            NotAvailableError: it cannot be read, or there is nothing to read. Any other error stops the extraction.
        """
        return Reading(utterance)

    @abstractmethod
    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        """Features of some turns, ``(N, D)`` float16, float32 or float64, from what was read of each.

        NaN is an unknown value, a row of NaN a turn without features. D and the type are always the same.
        """

    def fit(self, contents: Iterable[Any]) -> None:
        """Learn from what was read of the training turns, in their order."""
        raise NotImplementedError

    def fitted(self) -> Fitted:
        """What :meth:`fit` learnt."""
        raise NotImplementedError

    def restore(self, fitted: Fitted) -> None:
        """Take what an extractor with the same settings learnt, instead of fitting."""
        raise NotImplementedError


class Yardstick(Component, nn.Module):
    """Another implementation of a recipe, which ``ercframe bench --against`` measures beside the recipe's own.

    Built from ``(config, dataset, recipe)``. Its parameters have the names of the learner's, so that it takes the
    learner's ``state_dict()`` and its gradients can be compared one by one. It makes its own batches.

    Raise ValueError in the constructor where the recipe is not what it implements.
    """

    kind = "yardstick"

    def __init__(self) -> None:
        nn.Module.__init__(self)

    @abstractmethod
    def collate(self, dialogues: Sequence[Dialogue]) -> Mapping[str, Tensor]:
        """Make a batch, on the host."""

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The recipe's objective for a batch, a scalar in nats."""

    @abstractmethod
    def make_optimizer(self, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        """What it is trained with."""


class Tracker(Component):
    """Tells another tool of a run; observes, and never steers. Built from ``(config)``, quickly.

    Metrics are numbers by name, such as ``"loss"``, ``"dev/weighted_f1"`` or ``"test/f1/happy"``; labels in them may
    hold any character. What must be imported is imported in :meth:`started`. Whatever a method raises ends the tracking
    alone: the user is told once, and the tracker not called again.

    When a run is resumed, :meth:`started` is called in a new process for a run of the same ``id``, then :meth:`logged`
    once more for every epoch that the seed at hand has behind it, since a process that is killed may take the last ones
    with it. So a tracker replaces what it has of that seed, or leaves out the epochs that it has.
    """

    kind = "tracker"

    @abstractmethod
    def started(self, run: TrackedRun) -> None:
        """Told before the first epoch."""

    @abstractmethod
    def logged(self, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Told after each epoch, from 1, of each seed; the seeds come one after the other."""

    @abstractmethod
    def concluded(self, seed: int, metrics: Mapping[str, float]) -> None:
        """Told the scores of a seed's chosen epoch, ``"selected/test/weighted_f1"``, and of the other ways to choose.

        A seed that is stopped before it has a result is not concluded.
        """

    @abstractmethod
    def finished(self, status: str, metrics: Mapping[str, float]) -> None:
        """Told last: scores over the seeds, ``"selected/test/weighted_f1/mean"`` and ``…/std``; none without a result.

        Args:
            status: ``finished``, ``interrupted`` (Ctrl-C), ``preempted`` (SIGTERM) or ``failed``. A process that is
                killed does not come so far.
            metrics: numbers by name.
        """


KINDS: dict[str, type[Component]] = {
    base.kind: base
    for base in (Dataset, Transform, Encoder, Fusion, Classifier, Loss, Importer, Extractor, Yardstick, Tracker)
}
"""Every kind with its base class, in the order of the data flow; then those outside of it."""

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
    "Extractor",
    "Fitted",
    "FusedSpec",
    "Fusion",
    "FusionOutput",
    "Importer",
    "Intake",
    "Loss",
    "ModelOutput",
    "ModelSpec",
    "Need",
    "Part",
    "Reading",
    "StreamSpec",
    "Streams",
    "Term",
    "TrackedRun",
    "Tracker",
    "Transform",
    "UtteranceView",
    "Yardstick",
]
