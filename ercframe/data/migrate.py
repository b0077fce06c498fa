"""Manifests of older bundles in the form of today; the files of the bundle stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

SCHEMA_VERSION: Literal[2] = 2
"""Version of the bundle format that is written. What changed:

2. Dialogues may have a group, such as a recording session: ``groups`` in the manifest, ``group`` in the index.
   ``label_map`` says what became of the corpus's emotions.
"""

Manifest = Mapping[str, Any]


def _from_1(manifest: Manifest) -> Manifest:
    return {**manifest, "schema_version": 2, "groups": [], "label_map": None}


_STEPS: tuple[Callable[[Manifest], Manifest], ...] = (_from_1,)
"""The step from version i + 1 to the next at place i."""


def readable(version: object) -> bool:
    """Whether a manifest of this version can be brought to the present form."""
    return isinstance(version, int) and not isinstance(version, bool) and 1 <= version <= SCHEMA_VERSION


def migrated(manifest: Manifest) -> Manifest:
    """The manifest in the present form, from any version that is :func:`readable`."""
    for step in _STEPS[manifest["schema_version"] - 1 :]:
        manifest = step(manifest)
    return manifest
