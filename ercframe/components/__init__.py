"""The kinds of component: what each is built from, what it takes and what it returns.

A plugin subclasses one of these, sets ``name``, declares its knobs in a nested ``Config`` and implements one
method. The constructor arguments are the data flow: the component's own knobs, the corpus, what comes before it.
"""

from __future__ import annotations

from ercframe.components.base import Component, ComponentConfig
from ercframe.components.data import Dataset, Importer, Transform
from ercframe.components.extractor import Extractor
from ercframe.components.parts import Classifier, Encoder, Fusion, Loss, Part
from ercframe.components.tracker import Tracker
from ercframe.components.yardstick import Yardstick

KINDS: dict[str, type[Component]] = {
    base.kind: base
    for base in (Dataset, Transform, Encoder, Fusion, Classifier, Loss, Importer, Extractor, Yardstick, Tracker)
}
"""Every kind with its base class, in the order of the data flow; then those outside of it."""

__all__ = [
    "KINDS",
    "Classifier",
    "Component",
    "ComponentConfig",
    "Dataset",
    "Encoder",
    "Extractor",
    "Fusion",
    "Importer",
    "Loss",
    "Part",
    "Tracker",
    "Transform",
    "Yardstick",
]
