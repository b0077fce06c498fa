"""Faces, squares, and image models on real video."""

from pathlib import Path

import numpy as np
import pytest
import torch
from extracting import features
from pydantic import ValidationError
from recordings import grey, write_video
from tiny_models import SIDE, clip, red_square_detector, vit

from ercframe import InputError, NotAvailableError, UtteranceView
from ercframe_plugins.extractors.crops import thinned
from ercframe_plugins.extractors.faces import FaceFinder, middle_square, square_around
from ercframe_plugins.extractors.visual_transformers import VisualTransformers

pytestmark = pytest.mark.extra
RED = (250, 10, 10)


def picture(*faces: tuple[int, int], height: int = 96, width: int = 128) -> np.ndarray:
    """A grey picture with red squares of 32 pixels at these places (left, top)."""
    made = grey(60, height, width)
    for left, top in faces:
        made[top : top + 32, left : left + 32] = RED
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"vit": vit(folder / "vit"), "clip": clip(folder / "clip"), "faces": red_square_detector(folder / "f.onnx")}


def turn(path: Path, **times: float) -> UtteranceView:
    return UtteranceView("u", "Ann", "", media={"video": path}, shared=frozenset([path] if times else []), **times)


def visual(models, model="vit", **settings):
    return VisualTransformers(VisualTransformers.Config(model=str(models[model]), **settings))


def test_a_face_is_found_where_it_is(models):
    finder = FaceFinder(models["faces"], 0.6, "visual", "a test")
    assert finder.largest(picture((64, 32))) == (64, 32, 32, 32)
    assert finder.largest(picture()) is None


def test_a_large_picture_is_searched_small_and_told_in_its_own_pixels(models):
    large = picture((64, 32), height=360, width=640).repeat(2, axis=0).repeat(2, axis=1)
    assert FaceFinder(models["faces"], 0.6, "visual", "a test").largest(large) == (128, 64, 64, 64)


def test_a_file_that_is_no_detector_is_told(tmp_path):
    (tmp_path / "f.onnx").write_text("no detector")
    with pytest.raises(InputError) as caught:
        FaceFinder(tmp_path / "f.onnx", 0.6, "visual", "a test").largest(picture())
    assert str(caught.value) == (
        f"a test: face_model must be a YuNet detector in ONNX that OpenCV can read (got {tmp_path}/f.onnx)"
    )


def test_a_square_has_the_face_in_its_middle():
    square = square_around(picture((64, 32)), (64, 32, 32, 32), 0.25)
    assert square.shape == (48, 48, 3)
    assert (square[8:40, 8:40] == RED).all()
    assert (square[:8] == 60).all()


def test_a_square_beyond_the_border_repeats_it():
    square = square_around(picture((0, 0)), (0, 0, 32, 32), 0.25)
    assert square.shape == (48, 48, 3)
    assert (square[:40, :40] == RED).all()


def test_the_middle_square_is_as_large_as_can_be():
    assert middle_square(picture((48, 32))).shape == (96, 96, 3)
    assert (middle_square(picture((48, 32)))[32:64, 32:64] == RED).all()


def test_many_pictures_are_thinned_evenly():
    assert thinned(range(8), 8) == ([0, 1, 2, 3, 4, 5, 6, 7], 1)
    assert thinned(range(9), 8) == ([0, 2, 4, 6, 8], 2)
    assert thinned(range(4800), 256) == (list(range(0, 4800, 32)), 32)
    assert thinned([], 8) == ([], 1)


def test_what_a_model_sees_is_the_face(tmp_path, models):
    path = write_video(tmp_path / "a.mp4", [picture((64, 32))] * 10, 10)
    reading = visual(models, face_model=models["faces"], face_margin=0, fps=4).read(turn(path))
    assert reading.content.shape == (4, SIDE, SIDE, 3)
    assert reading.content.dtype == np.uint8
    assert reading.remark == ""
    np.testing.assert_allclose(reading.content[:, 8:24, 8:24], np.broadcast_to(RED, (4, 16, 16, 3)), atol=12)


@pytest.mark.parametrize(
    ("no_face", "taken", "remark"),
    [
        ("skip", 1, "without a face in some pictures: left out"),
        ("middle", 2, "without a face in some pictures: their middle taken"),
        ("whole", 2, "without a face in some pictures: taken whole"),
    ],
)
def test_pictures_without_a_face(tmp_path, models, no_face, taken, remark):
    path = write_video(tmp_path / "a.mp4", [picture((64, 32))] * 5 + [picture()] * 5, 10)
    reading = visual(models, face_model=models["faces"], no_face=no_face).read(turn(path))
    assert (len(reading.content), reading.remark) == (taken, remark)


def test_a_turn_without_any_face_is_not_available(tmp_path, models):
    path = write_video(tmp_path / "a.mp4", [picture()] * 5, 10)
    with pytest.raises(NotAvailableError, match="no face in any picture") as caught:
        visual(models, face_model=models["faces"], no_face="skip").read(turn(path))
    assert not caught.value.broken


def test_whole_and_middle_differ(tmp_path, models):
    path = write_video(tmp_path / "a.mp4", [picture((0, 32))] * 5, 10)
    whole, middle = (visual(models, no_face=choice).read(turn(path)).content[0] for choice in ("whole", "middle"))
    assert whole[16, 4, 0] > 200, "squeezed: the square at the left is still there"
    assert middle[16, 4, 0] > 200 > 100 > middle[16, 8, 0], "cut: half of it is left"


def test_more_pictures_than_wanted_are_thinned(tmp_path, models):
    path = write_video(tmp_path / "a.mp4", [grey(10 * i) for i in range(20)], 10)
    reading = visual(models, fps=10, max_pictures=8).read(turn(path))
    np.testing.assert_allclose(reading.content.mean(axis=(1, 2, 3)), [0, 40, 80, 120, 160], atol=4)
    assert reading.remark == "with more than 8 pictures: one in 4 taken"


@pytest.mark.parametrize(
    ("model", "output", "width"),
    [("vit", "class", 16), ("vit", "mean", 16), ("clip", "class", 16), ("clip", "shared", 12)],
)
def test_a_model_sees_what_its_own_processor_would_give_it(tmp_path, models, model, output, width):
    import transformers

    path = write_video(tmp_path / "a.mp4", [picture((64, 32))], 10)
    row = features(visual(models, model, output=output), turn(path))[0]
    square = middle_square(next(_decoded(path)))
    processor = transformers.AutoImageProcessor.from_pretrained(models[model], backend="pil")
    x = processor([square], return_tensors="pt")["pixel_values"]
    library = transformers.AutoModel.from_pretrained(models[model]).eval()
    with torch.inference_mode():
        if output == "shared":
            expected = library.get_image_features(x).pooler_output[0]
        elif model == "clip":
            expected = library.vision_model(x).pooler_output[0]
        else:
            tokens = library(x).last_hidden_state[0]
            expected = tokens[0] if output == "class" else tokens[1:].mean(dim=0)
    assert row.shape == (width,)
    np.testing.assert_allclose(row, expected, atol=1e-5)


def _decoded(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def test_other_turns_do_not_change_a_row(tmp_path, models):
    noise = np.random.default_rng(0).integers(0, 256, (50, 48, 64, 3), "uint8")
    turns = [turn(write_video(tmp_path / f"{n}.mp4", list(noise[:n]), 10)) for n in (10, 50)]
    extractor = visual(models, fps=10)
    alone = np.concatenate([features(extractor, t) for t in turns])
    np.testing.assert_array_equal(features(extractor, *turns), alone)
    np.testing.assert_array_equal(features(visual(models, fps=10), *turns), alone)


def test_a_part_of_a_video_is_what_is_seen(tmp_path, models):
    path = write_video(tmp_path / "a.mp4", [grey(50)] * 10 + [grey(200)] * 10, 10)
    extractor = visual(models)
    first, second, bright = (
        features(extractor, turn(path, start=0.0, end=1.0)),
        features(extractor, turn(path, start=1.0, end=2.0)),
        features(extractor, turn(write_video(tmp_path / "b.mp4", [grey(200)] * 10, 10))),
    )
    np.testing.assert_allclose(second, bright, atol=1e-3)
    assert np.abs(first - bright).max() > 1e-2


def test_the_revision_is_that_of_the_model_and_of_the_face_detector(tmp_path, models):
    other = tmp_path / models["faces"].name
    other.write_bytes(models["faces"].read_bytes() + b" ")
    revisions = [visual(models, face_model=faces).revision for faces in (None, models["faces"], other)]
    assert len(set(revisions)) == 3
    assert len({revision.partition(", faces ")[0] for revision in revisions}) == 1
    assert visual(models, "clip").revision != revisions[0]


def test_an_output_that_the_model_lacks_is_told(models):
    with pytest.raises(InputError) as caught:
        visual(models, output="shared").load("cpu")
    assert str(caught.value) == (
        "extractor 'visual_transformers': output must be class or mean, "
        "since ViTModel shares no space with text (got shared)"
    )


def test_faces_cannot_be_asked_for_without_a_detector(models, tmp_path):
    with pytest.raises(
        ValidationError, match=r"no_face must be middle or whole where no face_model is given \(got skip\)"
    ):
        visual(models, no_face="skip")
    with pytest.raises(InputError, match=r"'visual_transformers': face_model must be a file \(got .*none.onnx\)"):
        visual(models, face_model=tmp_path / "none.onnx")
