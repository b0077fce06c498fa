"""Maps of the representations: each modality before the fusion, and the joint one after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ercframe.errors import InputError
from ercframe.report.figures.maps import representation_map
from ercframe.report.material import RunMaterial
from ercframe.report.measures import chosen_seed
from ercframe.report.page import Figure, Section
from ercframe.report.projection import SHOWN, evenly, principal_components, tsne

# Shape letters: N utterances, D features.

FEWEST = 4
"""With fewer utterances there is no map."""
Arrays = dict[str, NDArray[np.float32]]


def maps(run: RunMaterial, way: str = "pca") -> Section:
    """A figure for each modality that the fusion keeps apart, and the last for the joint representation."""
    title = "Representations before and after the fusion"
    seed, why = chosen_seed(run)
    if not seed.representations.is_file():
        return Section("maps", title, [f"The run folder has no {seed.representations.relative_to(run.path)}."])
    found, label_N = _read(seed.representations, run.modalities)
    if len(label_N) < FEWEST:
        return Section("maps", title, [f"There are fewer than {FEWEST} scored utterances."])
    shown = evenly(len(label_N), SHOWN)
    figures = [_figure(run, name, x_ND, label_N, shown, way) for name, x_ND in found.items()]
    notes = [
        f"Seed {seed.seed}, {why}. Of {len(label_N):,} scored test utterances, {len(shown):,} are shown, evenly spaced."
    ]
    if not any(name.startswith("modality.") for name in found):
        notes.append("This fusion keeps no modality apart: there is a joint representation alone.")
    if way == "tsne":
        notes.append("t-SNE keeps near what is near; sizes of groups and distances between them mean nothing.")
    return Section("maps", title, notes, figures)


def _figure(
    run: RunMaterial, name: str, x_ND: NDArray[np.float32], label_N: NDArray[np.intp], shown: NDArray[np.intp], way: str
) -> Figure:
    what = name.removeprefix("modality.")
    title = "Joint, after the fusion" if name == "joint" else f"{what}, before the fusion"
    if way == "tsne":
        place_N2, axes = tsne(x_ND[shown]), ("t-SNE", "")
    else:
        place_N2, shares = principal_components(x_ND, shown)
        first, second = (f"{100 * share:.0f} % of the variance" for share in shares)
        axes = f"1st component, {first}", f"2nd component, {second}"
    told = f"{len(shown)} test utterances of {x_ND.shape[1]} features on a plane, coloured by label."
    return representation_map(
        f"map-{what}", title[0].upper() + title[1:], told, place_N2, label_N[shown], run.labels, axes
    )


def _read(path: Path, modalities: Sequence[str]) -> tuple[Arrays, NDArray[np.intp]]:
    """Representations and labels of the scored utterances of test; the joint ones last.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with safe_open(path, framework="np") as file:
            label_N = file.get_tensor("test.label")
            scored = np.flatnonzero(label_N >= 0)
            there = set(file.keys())
            names = [name for name in (*(f"modality.{m}" for m in modalities), "joint") if f"test.{name}" in there]
            found = {name: file.get_tensor(f"test.{name}")[scored] for name in names}
    except (SafetensorError, OSError, IndexError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return found, label_N[scored].astype(np.intp)
