"""ercframe: a plugin framework for multimodal emotion recognition in conversations.

Names are imported on first use, so that ``import ercframe`` (and ``ercframe --help``) does not load PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ercframe.components import (
        Classifier,
        Component,
        ComponentConfig,
        Dataset,
        Encoder,
        Extractor,
        Fusion,
        Importer,
        Loss,
        Tracker,
        Transform,
        Yardstick,
    )
    from ercframe.data.conversations import Conversation, dialogue_records, read_conversations
    from ercframe.data.describe import describe_turns
    from ercframe.data.dialogue import Dialogue, Utterance, collate
    from ercframe.data.dialogues import Dialogues
    from ercframe.data.findings import Finding, Place
    from ercframe.data.fitted import Fitted
    from ercframe.data.intake import Intake, Preparation
    from ercframe.data.label_map import relabelling
    from ercframe.data.npz import NpzFile, describe_features
    from ercframe.data.plain_pickle import read_pickle
    from ercframe.data.reader import Bundle
    from ercframe.data.records import (
        Corpus,
        DialogueRecord,
        FeatureArray,
        SourceFile,
        Split,
        UtteranceRecord,
        split_named,
    )
    from ercframe.data.turn import Turn, parse_turn
    from ercframe.data.views import Need, Reading, UtteranceView
    from ercframe.errors import (
        InputError,
        NotAvailableError,
        Problem,
        RunError,
        SpecError,
        nearest,
        problems_in,
    )
    from ercframe.extras import MissingExtraError, require
    from ercframe.layout import Layout
    from ercframe.plugins import hookimpl
    from ercframe.prediction.opening import load_predictor
    from ercframe.prediction.predictor import Predictor
    from ercframe.prediction.results import Prediction
    from ercframe.recipes.label_maps import LabelMap, read_label_map
    from ercframe.recipes.model import Recipe
    from ercframe.registry import Registry
    from ercframe.settings import Settings, Window
    from ercframe.specs import DatasetInfo, FusedSpec, ModelSpec, StreamSpec
    from ercframe.tensors import Batch, Context, Decision, FusionOutput, ModelOutput, Stream, Streams, Term
    from ercframe.tracked_run import TrackedRun
    from ercframe.wording import counted

__version__ = "0.1.0"

_HOMES = {
    "components": (
        "Classifier Component ComponentConfig Dataset Encoder Extractor Fusion Importer Loss Tracker "
        "Transform Yardstick"
    ),
    "data.conversations": "Conversation dialogue_records read_conversations",
    "data.describe": "describe_turns",
    "data.dialogue": "Dialogue Utterance collate",
    "data.dialogues": "Dialogues",
    "data.findings": "Finding Place",
    "data.fitted": "Fitted",
    "data.intake": "Intake Preparation",
    "data.label_map": "relabelling",
    "data.npz": "NpzFile describe_features",
    "data.plain_pickle": "read_pickle",
    "data.reader": "Bundle",
    "data.records": "Corpus DialogueRecord FeatureArray SourceFile Split UtteranceRecord split_named",
    "data.turn": "Turn parse_turn",
    "data.views": "Need Reading UtteranceView",
    "errors": "InputError NotAvailableError Problem RunError SpecError nearest problems_in",
    "extras": "MissingExtraError require",
    "layout": "Layout",
    "plugins": "hookimpl",
    "prediction.opening": "load_predictor",
    "prediction.predictor": "Predictor",
    "prediction.results": "Prediction",
    "recipes.label_maps": "LabelMap read_label_map",
    "recipes.model": "Recipe",
    "registry": "Registry",
    "settings": "Settings Window",
    "specs": "DatasetInfo FusedSpec ModelSpec StreamSpec",
    "tensors": "Batch Context Decision FusionOutput ModelOutput Stream Streams Term",
    "tracked_run": "TrackedRun",
    "wording": "counted",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Batch",
    "Bundle",
    "Classifier",
    "Component",
    "ComponentConfig",
    "Context",
    "Conversation",
    "Corpus",
    "Dataset",
    "DatasetInfo",
    "Decision",
    "Dialogue",
    "DialogueRecord",
    "Dialogues",
    "Encoder",
    "Extractor",
    "FeatureArray",
    "Finding",
    "Fitted",
    "FusedSpec",
    "Fusion",
    "FusionOutput",
    "Importer",
    "InputError",
    "Intake",
    "LabelMap",
    "Layout",
    "Loss",
    "MissingExtraError",
    "ModelOutput",
    "ModelSpec",
    "Need",
    "NotAvailableError",
    "NpzFile",
    "Place",
    "Prediction",
    "Predictor",
    "Preparation",
    "Problem",
    "Reading",
    "Recipe",
    "Registry",
    "RunError",
    "Settings",
    "SourceFile",
    "SpecError",
    "Split",
    "Stream",
    "StreamSpec",
    "Streams",
    "Term",
    "TrackedRun",
    "Tracker",
    "Transform",
    "Turn",
    "Utterance",
    "UtteranceRecord",
    "UtteranceView",
    "Window",
    "Yardstick",
    "__version__",
    "collate",
    "counted",
    "describe_features",
    "describe_turns",
    "dialogue_records",
    "hookimpl",
    "load_predictor",
    "nearest",
    "parse_turn",
    "problems_in",
    "read_conversations",
    "read_label_map",
    "read_pickle",
    "relabelling",
    "require",
    "split_named",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ercframe' has no attribute {name!r}")
    return getattr(import_module(f"ercframe.{_HOME[name]}"), name)
