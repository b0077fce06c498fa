"""Text vectors from counted words or characters: no model and no download, a baseline to beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ercframe import ComponentConfig, Extractor, Fitted, InputError, Reading, UtteranceView, hookimpl, require

# Shape letters: N utterances, V terms of the vocabulary, D features.

_WORD = r"(?u)\w+(?:['’]\w+)*|[?!…]"
"""A word, perhaps with an apostrophe inside; or one of the marks that tell a question or a cry from a statement."""


class TextTfidfSvd(Extractor):
    r"""Weighted counts of words or characters, projected onto their main directions in the training split.

    A term :math:`v` that occurs :math:`c` times in an utterance, and in :math:`n_v` of the :math:`n` training
    utterances, counts

    .. math:: (1 + \ln c) \left( \ln \frac{1 + n}{1 + n_v} + 1 \right)

    and the vector of all terms is divided by its Euclidean length. With the singular value decomposition
    :math:`U S W^\top` of these vectors in train, an utterance :math:`x` becomes :math:`x W_D`, its coordinates in the
    first D directions. The sign of each direction makes its largest entry positive; a fixed seed starts the
    decomposition, so the same texts give the same values.

    Vocabulary, weights and directions are learnt from train only, and kept in the bundle. An utterance without a known
    term becomes zeros.

    References:
        Deerwester et al. (1990), Indexing by latent semantic analysis, JASIS 41(6). Halko, Martinsson and Tropp (2011),
        Finding structure with randomness, SIAM Review 53(2), for the decomposition.
    """

    name = "text_tfidf_svd"
    modality = "text"
    needs = ("text",)
    version = "1"
    packages = ("scikit-learn", "scipy", "numpy")
    fits = True
    batch_size = 256
    example_configs = ({"width": 4, "min_count": 1},)

    class Config(ComponentConfig):
        unit: Literal["words", "characters"] = Field(
            "words", description="What is counted; characters stay inside words, and suit languages without spaces."
        )
        ngrams: tuple[int, int] = Field((1, 2), description="Shortest and longest run of units that is a term.")
        min_count: int = Field(2, ge=1, description="Utterances of train that a term must occur in.")
        max_terms: int | None = Field(
            50_000, ge=1, description="Size of the vocabulary: the terms that are most frequent in train; null: all."
        )
        width: int = Field(128, ge=1, description="Number of directions, D.")
        lowercase: bool = Field(True, description="Whether case makes no difference.")

        @model_validator(mode="after")
        def _runs_have_a_length(self) -> Self:
            if not 1 <= self.ngrams[0] <= self.ngrams[1]:
                raise ValueError(f"ngrams must be two lengths, the shortest from 1 first (got {list(self.ngrams)})")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config
        self._text = require("sklearn.feature_extraction.text", "text", f"extractor '{self.name}'")
        self._vectorizer: Any = None
        self._directions_VD: NDArray[Any] = np.empty((0, 0), np.float32)

    def read(self, utterance: UtteranceView) -> Reading:
        """The text."""
        return Reading(utterance.text)

    def fit(self, contents: Iterable[Any]) -> None:
        """Learn vocabulary, weights and directions from training texts.

        Raises:
            InputError: they have fewer terms, or are fewer, than directions are asked for.
        """
        texts = list(contents)
        self._vectorizer = self._new_vectorizer(min_df=self.config.min_count, max_features=self.config.max_terms)
        try:
            x_NV = self._vectorizer.fit_transform(texts)
        except ValueError as error:
            raise InputError(f"extractor '{self.name}' finds no term in the training texts: {error}") from None
        if self.config.width > (most := min(x_NV.shape)):
            raise InputError(
                f"extractor '{self.name}': width must be at most {most:,} for {x_NV.shape[0]:,} training texts with "
                f"{x_NV.shape[1]:,} terms (got {self.config.width}); give width={most}, or less"
            )
        self._directions_VD = _directions(x_NV, self.config.width)

    def fitted(self) -> Fitted:
        terms = self._vectorizer.get_feature_names_out().tolist()
        return Fitted({"idf": self._vectorizer.idf_, "directions": self._directions_VD}, {"terms": terms})

    def restore(self, fitted: Fitted) -> None:
        self._vectorizer = self._new_vectorizer(vocabulary=fitted.words["terms"])
        self._vectorizer.idf_ = fitted.arrays["idf"]
        self._directions_VD = fitted.arrays["directions"]

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        x_ND: NDArray[Any] = self._vectorizer.transform(contents) @ self._directions_VD
        return x_ND.astype(np.float32)

    def _new_vectorizer(self, **options: Any) -> Any:
        words = self.config.unit == "words"
        return self._text.TfidfVectorizer(
            analyzer="word" if words else "char_wb",
            token_pattern=_WORD if words else None,
            ngram_range=self.config.ngrams,
            lowercase=self.config.lowercase,
            sublinear_tf=True,
            **options,
        )


def _directions(x_NV: Any, width: int) -> NDArray[Any]:
    """The first right singular vectors, ``(V, D)``, each with its largest entry positive."""
    randomized_svd = require("sklearn.utils.extmath", "text", "extractor 'text_tfidf_svd'").randomized_svd
    _, _, rows_DV = randomized_svd(x_NV, width, n_iter=7, random_state=0)
    largest_D = np.abs(rows_DV).argmax(axis=1)
    signs_D = np.sign(rows_DV[np.arange(width), largest_D])
    directions_VD: NDArray[Any] = np.ascontiguousarray((rows_DV * signs_D[:, None]).T)
    return directions_VD


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [TextTfidfSvd]
