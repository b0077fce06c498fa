"""Extractors: turns to the features of a modality."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from ercframe.components.base import Component
from ercframe.data.fitted import Fitted
from ercframe.data.views import Need, Reading, UtteranceView


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
