"""What visual_timm makes of real videos, compared with timm itself; run by ``test_extractors_timm.py``."""

import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from recordings import grey, write_video
from safetensors.torch import save_file

from ercframe import InputError, UtteranceView
from ercframe_plugins.extractors.visual_timm import VisualTimm

MODEL = "densenet121.ra_in1k"


def extractor(**settings):
    return VisualTimm(VisualTimm.Config(model=MODEL, **settings))


def view(path: Path) -> UtteranceView:
    return UtteranceView("u", "Ann", "", media={"video": path})


def save_weights(path: Path, model: str) -> Path:
    torch.manual_seed(0)
    save_file(timm.create_model(model, pretrained=False).state_dict(), path)
    return path


def check_features(folder: Path) -> None:
    weights = save_weights(folder / "densenet.safetensors", "densenet121")
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), "uint8")
    video = write_video(folder / "a.mp4", [picture] * 10, 10)
    other = write_video(folder / "b.mp4", [grey(90)] * 10, 10)
    found = extractor(checkpoint=weights)
    found.load("cpu")
    contents = [found.read(view(path)).content for path in (video, other)]
    rows = found.extract(contents)
    library = timm.create_model("densenet121", pretrained=False)
    torch.manual_seed(0)
    library = timm.create_model("densenet121", pretrained=False).eval()
    settings = timm.data.resolve_model_data_config(library)
    x = torch.from_numpy(contents[0].transpose(0, 3, 1, 2).astype("float32") / 255)
    x = (x - torch.tensor(settings["mean"])[:, None, None]) / torch.tensor(settings["std"])[:, None, None]
    with torch.inference_mode():
        expected = library.forward_head(library.forward_features(x), pre_logits=True).mean(dim=0)
    assert contents[0].shape == (2, 224, 224, 3)
    assert rows.shape == (2, 1024)
    np.testing.assert_allclose(rows[0], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert len(found.revision) == 64


def check_refusals(folder: Path) -> None:
    other = save_weights(folder / "resnet.safetensors", "resnet10t")
    with pytest.raises(InputError, match=r"must hold the weights of densenet121.ra_in1k \(\d+ are missing or unknown"):
        extractor(checkpoint=other).load("cpu")
    (folder / "text.safetensors").write_text("no weights")
    with pytest.raises(InputError, match=r"text.safetensors cannot be loaded"):
        extractor(checkpoint=folder / "text.safetensors").load("cpu")
    with pytest.raises(InputError, match=r"checkpoint must be a .safetensors file \(got .*none.safetensors\)"):
        extractor(checkpoint=folder / "none.safetensors")
    with pytest.raises(InputError, match=r"model must be one of timm's \(got 'densenet1'\)"):
        VisualTimm(VisualTimm.Config(model="densenet1"))


if __name__ == "__main__":
    check_features(Path(sys.argv[1]))
    check_refusals(Path(sys.argv[1]))
    print("all checked")
