"""Text embeddings from a pretrained encoder, by its id on the Hugging Face Hub or from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ercframe import ComponentConfig, Extractor, Reading, UtteranceView, hookimpl
from ercframe_plugins.extractors.pretrained import Pretrained

# Shape letters: N utterances of a batch, T tokens of the longest, D features of a token.

Pooling = Literal["cls", "mean", "last_four"]


class TextTransformers(Extractor):
    """One vector for the words of an utterance, from a pretrained transformer that is not trained further.

    ===========  =====================================================================
    pooling      vector
    ===========  =====================================================================
    cls          the last layer's at the first token
    mean         the mean over tokens of the last layer's
    last_four    the mean over tokens of the mean over the last four layers
    ===========  =====================================================================

    Special tokens count, padding does not. With ``normalise`` the vector is then divided by its Euclidean length.
    Utterances are embedded one by one, without their context, in float32. How a batch is padded changes the last
    digits, so ``batch_size`` is a setting, and batches follow the order of the bundle. A text with more tokens than
    ``max_tokens`` is cut, and told of.

    Code that comes with a model is never run. The manifest keeps the commit of a model from the Hub, or the digest of
    a folder's files.
    """

    name = "text_transformers"
    modality = "text"
    needs = ("text",)
    version = "1"
    packages = ("torch", "transformers", "tokenizers")
    licence = "that of the chosen model"
    on_device = True
    example_configs = ()  # needs a model

    class Config(ComponentConfig):
        model: str = Field(min_length=1, description="Id on the Hugging Face Hub, or a folder with an encoder.")
        revision: str | None = Field(None, description="Commit, branch or tag on the Hub; null: its main branch.")
        pooling: Pooling = Field("mean", description="How token vectors become one: see the table.")
        normalise: bool = Field(False, description="Divide every vector by its Euclidean length.")
        max_tokens: int | None = Field(None, ge=3, description="Longer texts are cut; null: what the model can take.")
        batch_size: int = Field(32, ge=1, description="Utterances in one pass of the model.")
        dtype: Literal["float32", "float16"] = Field("float32", description="Type of the stored values.")

    def __init__(self, config: Config) -> None:
        self.config, self.batch_size = config, config.batch_size
        self._pretrained = Pretrained(config.model, config.revision, "text", f"extractor '{self.name}'")
        self._model: Any = None

    @cached_property
    def revision(self) -> str:
        return self._pretrained.revision

    @cached_property
    def _tokenizer(self) -> Any:
        return self._pretrained.tokenizer()

    def load(self, device: str) -> None:
        """Load the encoder in float32."""
        self._model = self._pretrained.model().to(device)

    def read(self, utterance: UtteranceView) -> Reading:
        """The token ids of an utterance."""
        limit = self.config.max_tokens or self._pretrained.most_tokens(self._tokenizer)
        ids = self._tokenizer(utterance.text, verbose=False)["input_ids"]
        if len(ids) <= limit:
            return Reading(ids)
        cut = self._tokenizer(utterance.text, truncation=True, max_length=limit)["input_ids"]
        return Reading(cut, f"longer than {limit:,} tokens: cut")

    @torch.inference_mode()
    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        ids_NT, mask_NT = padded(contents, self._tokenizer.pad_token_id or 0)
        device = self._model.device
        output = self._model(ids_NT.to(device), attention_mask=mask_NT.to(device), output_hidden_states=True)
        x_ND = pool(output.hidden_states, mask_NT.to(device), self.config.pooling)
        if self.config.normalise:
            x_ND = torch.nn.functional.normalize(x_ND, dim=-1)
        values: NDArray[Any] = x_ND.cpu().numpy().astype(self.config.dtype)
        return values


def padded(ids: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids with ``pad`` after the end of each, and which are real, ``(N, T)`` each."""
    ids_NT = torch.full((len(ids), max(map(len, ids))), pad)
    mask_NT = torch.zeros_like(ids_NT)
    for i, some in enumerate(ids):
        ids_NT[i, : len(some)] = torch.tensor(some)
        mask_NT[i, : len(some)] = 1
    return ids_NT, mask_NT


def pool(hidden: Sequence[Tensor], mask_NT: Tensor, pooling: Pooling) -> Tensor:
    """One vector for each utterance, ``(N, D)``, from the hidden states of every layer, ``(N, T, D)`` each."""
    if pooling == "cls":
        return hidden[-1][:, 0]
    x_NTD = hidden[-1] if pooling == "mean" else torch.stack(tuple(hidden[-4:])).mean(dim=0)
    real_NT1 = mask_NT.unsqueeze(-1).to(x_NTD)
    return (x_NTD * real_NT1).sum(dim=1) / real_NT1.sum(dim=1)


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [TextTransformers]
