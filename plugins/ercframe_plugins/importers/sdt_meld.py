"""MELD with the features of SDT (Ma et al. 2024): a pickled tuple of thirteen items."""

from __future__ import annotations

from ercframe import Importer, hookimpl
from ercframe_plugins.importers.meld_annotations import LABELS
from ercframe_plugins.importers.sdt_items import Layout
from ercframe_plugins.importers.sdt_pickle import LICENCE, TEXT_WIDTHS, SdtPickle


class SdtMeld(SdtPickle):
    """SDT's features of MELD: a pickled tuple of thirteen items, of which the last is ignored.

    Every position is checked for its shape, since nothing in the file says what it is. There is no
    dev split; the protocol ``heldout`` carves one from train by dialogue. Speakers are numbers.
    """

    name = "sdt_meld"
    corpus = "MELD"
    licence = f"Annotations: GPL-3.0 (MELD, Poria et al. 2019). {LICENCE}"
    layout = Layout(ignored=1, labels=LABELS, widths={**TEXT_WIDTHS, "audio": 300, "visual": 342}, speakers=9)


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [SdtMeld]
