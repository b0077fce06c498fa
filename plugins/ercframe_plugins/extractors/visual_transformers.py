"""Image models of Hugging Face, such as CLIP and ViT, on squares of a turn's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ercframe import Extractor, InputError, Reading, UtteranceView, hookimpl
from ercframe_plugins.extractors.crops import Cropper, CropsConfig, Look
from ercframe_plugins.extractors.pretrained import Pretrained

# Shape letters: F frames, S side in pixels, D features.

UNUSED = ("pooler.", "vision_model.pooler.", "text_model.", "text_projection", "logit_scale", "logit_bias")
"""Weights of parts that are not used here; a checkpoint may lack them."""
BICUBIC = 3
"""As Pillow numbers it."""


class VisualTransformers(Extractor):
    """An image model's view of faces, or of whole pictures, pooled over the pictures of a turn.

    Pictures are taken at ``fps``; where ``face_model`` names a detector, the square around the largest face is cut out
    of each. Squares are resized as the model's own settings say, and are never cropped further.

    References:
        Radford et al.: Learning transferable visual models from natural language supervision (CLIP). ICML 2021.
        Dosovitskiy et al.: An image is worth 16x16 words (ViT). ICLR 2021.
    """

    name = "visual_transformers"
    modality = "visual"
    needs = ("video",)
    version = "1"
    packages = ("transformers", "torch", "av", "opencv-python-headless", "pillow")
    licence = "that of the chosen model"
    on_device = True
    example_configs = ()  # needs a model

    class Config(CropsConfig):
        model: str = Field(min_length=1, description="Id on the Hugging Face Hub, or a folder with an image model.")
        revision: str | None = Field(None, description="Commit, branch or tag on the Hub; null: its main branch.")
        output: Literal["class", "mean", "shared"] = Field(
            "class",
            description="class: the class token after the last norm. mean: the other tokens' mean, before CLIP's last "
            "norm. shared: the space that CLIP shares with text.",
        )

    def __init__(self, config: Config) -> None:
        self.config = config
        self._cropper = Cropper(config, "visual", f"extractor '{self.name}'")
        self._pretrained = Pretrained(config.model, config.revision, "visual", f"extractor '{self.name}'")

    @cached_property
    def revision(self) -> str:
        return self._cropper.identified(self._pretrained.revision)

    def load(self, device: str) -> None:
        self._device = device
        self._model = self._pretrained.model(unused=UNUSED).to(device)
        if self.config.output == "shared" and not hasattr(self._model, "get_image_features"):
            raise InputError(
                f"extractor '{self.name}': output must be class or mean, since {type(self._model).__name__} shares no "
                "space with text (got shared)"
            )

    def read(self, turn: UtteranceView) -> Reading:
        """Squares of the turn's pictures, as large as the model wants them."""
        return self._cropper.read(turn, self._look)

    def extract(self, contents: Sequence[Any]) -> NDArray[Any]:
        return self._cropper.rows(contents, self._look, self._embed, self._device)

    @cached_property
    def _look(self) -> Look:
        """What the model's image processor says, read from its settings: its backends do not resize alike."""
        told = self._pretrained.picture_settings()
        size = told.get("crop_size") if told.get("do_center_crop") else told.get("size")
        sides = {size} if isinstance(size, int) else set((size or {}).values())
        if len(sides) != 1:
            raise InputError(f"extractor '{self.name}': the model must take square pictures (got the size {size})")
        norm = (told["image_mean"], told["image_std"]) if told.get("do_normalize", True) else ((0.0,) * 3, (1.0,) * 3)
        return Look(sides.pop(), tuple(norm[0]), tuple(norm[1]), told.get("resample", BICUBIC))

    def _embed(self, x_F3SS: Tensor) -> Tensor:
        """A vector for each picture, ``(F, D)``."""
        if self.config.output == "shared":
            found = self._model.get_image_features(x_F3SS)
            features_FD: Tensor = found if isinstance(found, Tensor) else found.pooler_output
            return features_FD
        tower = getattr(self._model, "vision_model", None)
        seen = (tower or self._model)(x_F3SS)
        if self.config.output == "mean":
            mean_FD: Tensor = seen.last_hidden_state[:, 1:].mean(dim=1)
            return mean_FD
        # The pooler of a tower is the norm of its class token; that of a lone ViT was trained for something else.
        class_FD: Tensor = seen.pooler_output if tower else seen.last_hidden_state[:, 0]
        return class_FD


@hookimpl
def ercframe_components() -> list[type[Extractor]]:
    return [VisualTransformers]
