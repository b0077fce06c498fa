"""Models from the Hugging Face Hub or from a folder, for every extractor that uses one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ercframe import InputError, require

_HELP = """\
Give the id of a model on https://huggingface.co/models, or a folder with config.json, tokenizer.json and
model.safetensors. Without a network, only folders and models that were downloaded before can be used:
`hf download MODEL` on this machine while it has one, or `hf download MODEL --local-dir FOLDER` on another."""
_DEFAULT_MOST = 512


class Pretrained:
    """A pretrained model, loaded piece by piece as it is needed; code that comes with it is never run.

    Args:
        name: id on the Hub, or a folder.
        revision: commit, branch or tag on the Hub; None for the main branch.
        extra: the extra that installs transformers for this purpose.
        purpose: who needs it, for errors.

    Raises:
        InputError: transformers is not installed, or ``revision`` is given for a folder.
    """

    def __init__(self, name: str, revision: str | None, extra: str, purpose: str) -> None:
        self._transformers = require("transformers", extra, purpose)
        self.name, self._asked, self._extra, self._purpose = name, revision, extra, purpose
        if self.folder and revision:
            raise InputError(f"{purpose}: revision must be left out for a folder (got '{revision}' for {name})")

    @property
    def folder(self) -> Path | None:
        """The folder, where the name is one."""
        return Path(self.name) if Path(self.name).is_dir() else None

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        return self._load(self._transformers.AutoConfig.from_pretrained, revision=self._asked)

    @cached_property
    def revision(self) -> str:
        """The commit of a model from the Hub; a digest of the names and contents of a folder's files."""
        if self.folder:
            return digest(self.folder)
        return getattr(self.config, "_commit_hash", None) or self._asked or ""

    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self._load(self._transformers.AutoTokenizer.from_pretrained, **self._pinned())

    def sound_settings(self) -> Any:
        """What prepares sound: its rate, and whether it is normalised."""
        return self._load(self._transformers.AutoFeatureExtractor.from_pretrained, **self._pinned())

    def picture_settings(self) -> dict[str, Any]:
        """How pictures are prepared, as written in the model's files: the library's own ways of doing it differ."""
        base = require("transformers.image_processing_base", self._extra, self._purpose)
        settings: dict[str, Any] = self._load(base.ImageProcessingMixin.get_image_processor_dict, **self._pinned())[0]
        return settings

    def model(self, unused: tuple[str, ...] = ("pooler.",)) -> Any:
        """The encoder, without the decoder where there is one, in float32 and eval mode, on the CPU.

        Args:
            unused: starts of the names of weights that have no influence on what is extracted.

        Raises:
            InputError: it cannot be loaded, or the file lacks some of its weights, which would be random numbers.
        """
        auto = self._transformers.AutoModel
        model, info = self._load(auto.from_pretrained, output_loading_info=True, dtype="float32", **self._pinned())
        lacking = sorted(key for key in info["missing_keys"] if not key.startswith(unused))
        if lacking:
            raise self._error(f"it lacks {len(lacking)} weights, such as {lacking[0]}")
        encoder = model.get_encoder() if self.config.is_encoder_decoder else model
        return encoder.eval()

    def most_tokens(self, tokenizer: Any) -> int:
        """How many tokens the model takes, special ones included; 512 where nothing says."""
        limit: int = tokenizer.model_max_length
        positions: int | None = getattr(self.config, "max_position_embeddings", None)
        if limit < 1_000_000:  # otherwise the tokenizer does not know
            return min(limit, positions or limit)
        return positions - 2 if positions else _DEFAULT_MOST  # RoBERTa's kin keep the first two for padding

    def _pinned(self) -> dict[str, Any]:
        """The same commit for every file of a model, though its branch may move meanwhile."""
        return {} if self.folder else {"revision": self.revision or None}

    def _load(self, load: Callable[..., Any], **options: Any) -> Any:
        try:
            with self._quiet():
                return load(self.name, trust_remote_code=False, **options)
        except Exception as error:  # it depends on the model's files what is raised
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise self._error(lines[0] if lines else type(error).__name__) from None

    def _error(self, cause: str) -> InputError:
        return InputError(f"{self._purpose}: model '{self.name}' cannot be used: {cause}", help=_HELP)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Without the library's own bars and notes about weights that a task would need."""
        logging = self._transformers.utils.logging
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def digest(folder: Path) -> str:
    """SHA-256 of the names and contents of the files in a folder, hidden ones and folders in it left out."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
