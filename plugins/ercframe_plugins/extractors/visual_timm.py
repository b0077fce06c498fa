"""Image models of the library timm, such as DenseNet, on squares of a turn's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import Field

from ercframe import Extractor, InputError, Reading, SourceFile, UtteranceView, hookimpl, require
from ercframe_plugins.extractors.crops import Cropper, CropsConfig, Look

RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
"""Ways of resizing, as timm calls and as Pillow numbers them."""


class VisualTimm(Extractor):
    """An image model of timm, without its classifier, pooled over the pictures of a turn.

    Pictures are taken at ``fps``; where ``face_model`` names a detector, the square around the largest face is cut out
    of each. Squares are resized to the side, and in the way, that the model was trained with.

    The values are the model's pooled features, those that its classifier would get: 1,024 for ``densenet121``.

    References:
        Huang et al.: Densely connected convolutional networks. CVPR 2017. Wightman: PyTorch image models, 2019.
    """

    name = "visual_timm"
    modality = "visual"
    needs = ("video",)
    version = "1"
    packages = ("timm", "torch", "av", "opencv-python-headless", "pillow")
    licence = "that of the chosen weights"
    on_device = True
    example_configs = ()  # needs an extra of its own

    class Config(CropsConfig):
        model: str = Field(
            min_length=1,
            description="Name in timm, such as densenet121.ra_in1k: what follows the dot names the weights.",
        )
        checkpoint: Path | None = Field(
            None, description="Weights of that model, a .safetensors file. null: those that timm knows are downloaded."
        )

    def __init__(self, config: Config) -> None:
        self.config = config
        self._timm: Any = require("timm", "timm", self._purpose)
        if not self._timm.is_model(config.model):
            raise InputError(f"{self._purpose}: model must be one of timm's (got '{config.model}')")
        self._cropper = Cropper(config, "timm", self._purpose)
        if (file := config.checkpoint) and (file.suffix != ".safetensors" or not file.is_file()):
            raise InputError(f"{self._purpose}: checkpoint must be a .safetensors file (got {file})")

    @cached_property
    def revision(self) -> str:
        """The digest of the checkpoint; weights from the Hub are told apart by the model's name alone."""
        file = self.config.checkpoint
        return self._cropper.identified(SourceFile.of(file).sha256 if file else "")

    def load(self, device: str) -> None:
        self._device = device
        try:
            model = self._timm.create_model(self.config.model, pretrained=self.config.checkpoint is None, num_classes=0)
        except RuntimeError as error:
            raise InputError(f"{self._purpose}: '{self.config.model}' cannot be loaded: {error}") from None
        if self.config.checkpoint is not None:
            self._fill(model, self.config.checkpoint)
        self._model = model.float().to(device).eval()

    def read(self, turn: UtteranceView) -> Reading:
        """Squares of the turn's pictures, as large as the model wants them."""
        return self._cropper.read(turn, self._look)

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        return self._cropper.rows(contents, self._look, self._model, self._device)

    @property
    def _purpose(self) -> str:
        return f"extractor '{self.name}'"

    @cached_property
    def _look(self) -> Look:
        known = self._timm.get_pretrained_cfg(self.config.model)
        if known is None:
            raise InputError(f"{self._purpose}: timm knows no settings of pictures for '{self.config.model}'")
        height, width = known.input_size[1:]
        if height != width:
            raise InputError(f"{self._purpose}: the model must take square pictures (got {height} × {width})")
        return Look(height, known.mean, known.std, RESAMPLE.get(known.interpolation, RESAMPLE["bicubic"]))

    def _fill(self, model: Any, checkpoint: Path) -> None:
        """Load a checkpoint, of which only the classifier may be left over: timm itself would take anything.

        Raises:
            InputError: it is not of this model.
        """
        try:
            weights = require("safetensors.torch", "timm", self._purpose).load_file(checkpoint)
            told = model.load_state_dict(weights, strict=False)
        except Exception as error:
            raise InputError(f"{self._purpose}: {checkpoint} cannot be loaded: {error}") from None
        classifier = self._timm.get_pretrained_cfg(self.config.model).classifier or ()
        heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        odd = [*told.missing_keys, *(key for key in told.unexpected_keys if not key.startswith(heads))]
        if odd:
            raise InputError(
                f"{self._purpose}: {checkpoint} must hold the weights of {self.config.model} "
                f"({len(odd)} are missing or unknown, such as {odd[0]})"
            )


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [VisualTimm]
