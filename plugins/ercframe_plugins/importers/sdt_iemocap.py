"""IEMOCAP with the features of SDT (Ma et al. 2024): a pickled tuple of twelve items."""

from __future__ import annotations

from ercframe import Importer, hookimpl
from ercframe_plugins.importers.sdt_items import Layout
from ercframe_plugins.importers.sdt_pickle import LICENCE, TEXT_WIDTHS, SdtPickle


class SdtIemocap(SdtPickle):
    """SDT's features of IEMOCAP: a pickled tuple of twelve items.

    Every position is checked for its shape, since nothing in the file says what it is. There is no
    dev split; the protocol ``heldout`` carves one from train by dialogue.
    """

    name = "sdt_iemocap"
    corpus = "IEMOCAP"
    licence = f"IEMOCAP: research only, not to be passed on (USC). {LICENCE}"
    layout = Layout(
        ignored=0,
        labels=("hap", "sad", "neu", "ang", "exc", "fru"),
        widths={**TEXT_WIDTHS, "audio": 1582, "visual": 342},
        sides=("F", "M"),
        group=r"Ses\d\d",
    )


@hookimpl
def ercframe_components() -> list[type[Importer]]:
    return [SdtIemocap]
