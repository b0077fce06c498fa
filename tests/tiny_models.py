"""Models of the shapes that people use, with a few random weights, saved as their libraries save them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SIDE = 32
"""Pixels of the pictures that the image models see."""


def speech_model(folder: Path, family: str = "Wav2Vec2", **changes: Any) -> Path:
    """``Wav2Vec2``, ``Hubert`` or ``WavLM``: two layers of width 16 on the usual convolutions (400 samples)."""
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{family}Config")(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        **changes,
    )
    torch.manual_seed(0)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIDE,
    "patch_size": 8,
}


def vit(folder: Path) -> Path:
    """A ViT of width 16, without a pooler."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    torch.manual_seed(0)
    transformers.ViTModel(transformers.ViTConfig(**VISION), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    """A CLIP whose pictures have width 16, and 12 in the space shared with text."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.CLIPConfig(vision_config=dict(VISION), text_config=text, projection_dim=12)
    transformers.CLIPModel(config).save_pretrained(folder)
    crop = {"height": SIDE, "width": SIDE}
    CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=crop).save_pretrained(folder)
    return folder


def red_square_detector(path: Path) -> Path:
    """A model with YuNet's inputs and outputs that takes a red square of 32 pixels, on a grid of 32, for a face.

    As in YuNet's file, the shapes in it are those of pictures of 640 × 640; OpenCV takes any. The outputs at strides 8,
    16 and 32 are a class and an object score, a box and five points for each cell. Here only the cells of stride 32
    have scores: those whose mean redness is above 100.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, outputs = [], [], []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    # The picture comes as blue, green, red, 0 to 255.
    red = node("Conv", ["input", constant("red", np.float32([-0.5, -0.5, 1.0]).reshape(1, 3, 1, 1))], "redness")
    for stride, needed in ((8, 1e6), (16, 1e6), (32, 100.0)):
        mean = node("AveragePool", [red], f"mean{stride}", kernel_shape=[stride] * 2, strides=[stride] * 2)
        above = node("Sub", [mean, constant(f"needed{stride}", np.full((1, 1, 1, 1), needed, "f4"))], f"above{stride}")
        score = node("Sigmoid", [above], f"score{stride}")
        middle = np.float32([0.5, 0.5, 0, 0])  # a box of one cell around the cell's middle; sizes are logarithms
        for name, width, bias in (("cls", 1, None), ("obj", 1, None), ("bbox", 4, middle), ("kps", 10, np.zeros(10))):
            cells = score
            if bias is not None:
                weight = constant(f"{name}weight{stride}", np.zeros((width, 1, 1, 1), "f4"))
                cells = node(
                    "Conv",
                    [mean, weight, constant(f"{name}bias{stride}", bias.astype("f4"))],
                    f"{name}cells{stride}",
                )
            flat = constant(f"{name}flat{stride}", np.int64([1, width, -1]))
            rows = node("Reshape", [cells, flat], f"{name}rows{stride}")
            node("Transpose", [rows], f"{name}_{stride}", perm=[0, 2, 1])
    for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            outputs.append(
                helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, [1, (640 // stride) ** 2, width])
            )
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])
    graph = helper.make_graph(nodes, "red_square", [picture], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
