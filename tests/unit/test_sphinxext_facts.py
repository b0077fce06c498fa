"""What the documentation finds out by trying: widths, what is read, what fits, and how it is drawn."""

import re

import pytest

from ercframe import Fusion, plugins
from ercframe.recipes import load
from ercframe.registry import Entry, Origin, Registry
from ercframe.sphinxext.fits import as_formula, inputs_read, partners, promises, sees_future, surroundings
from ercframe.sphinxext.flow import flow_of
from ercframe.sphinxext.picture import picture
from ercframe.sphinxext.svg import Drawing

REGISTRY = plugins.load()


@pytest.mark.parametrize(
    ("small", "large", "formula"),
    [(9, 9, "9"), (6, 10, "D"), (18, 30, "3 D"), (13, 21, "2 D + 1"), (36, 100, "36 at D = 6"), (5, 3, "5 at D = 6")],
)
def test_widths_are_told_as_a_line_where_they_lie_on_one(small, large, formula):
    assert as_formula({6: small, 10: large}) == formula


def test_what_a_part_promises_follows_what_comes_before_it():
    assert promises(REGISTRY.get("fusion", "concat"))["joint"] == "3 D"
    assert promises(REGISTRY.get("fusion", "gated")) == dict.fromkeys(
        ("joint", "modality text", "modality audio", "modality visual"), "D"
    )
    assert promises(REGISTRY.get("fusion", "tensor")) == {"joint": "729"}
    assert promises(REGISTRY.get("loss", "focal")) == {}


class TestReading:
    def test_a_fusion_that_reads_own_streams_leaves_the_others(self):
        read, ignored = inputs_read(REGISTRY.get("fusion", "gated"))
        assert set(read) == {"stream text", "stream audio", "stream visual"}
        assert len(ignored) == 6

    def test_one_that_reads_all_leaves_none(self):
        assert inputs_read(REGISTRY.get("fusion", "hierarchical_gated"))[1] == ()

    @pytest.mark.parametrize(
        ("loss", "reads"),
        [
            ("cross_entropy", {"logits"}),
            ("supervised_contrastive", {"joint"}),
            ("self_distillation", {"logits", "modality"}),
        ],
    )
    def test_losses(self, loss, reads):
        assert {name.split()[0] for name in inputs_read(REGISTRY.get("loss", loss))[0]} == reads


class TestFitting:
    def test_refusals_are_told_with_their_reason(self):
        found = {a.where: a.refused for a in partners(REGISTRY.get("loss", "self_distillation"), REGISTRY)}
        assert found["fusion/tensor"] == "needs one representation per modality"
        assert found["fusion/gated"] == ""

    def test_settings_that_make_it_fit_are_told(self):
        (identity,) = [a for a in partners(REGISTRY.get("fusion", "gated"), REGISTRY) if a.where == "encoder/identity"]
        assert (identity.settings, identity.refused) == ("width: 6", "")

    def test_surroundings(self):
        found = {a.where: a.refused for a in surroundings(REGISTRY.get("classifier", "late"))}
        assert found.pop("a joint representation alone") == "needs one representation per modality"
        assert set(found.values()) == {""}

    def test_the_future(self):
        assert sees_future(REGISTRY.get("encoder", "bilstm")) is True
        assert sees_future(REGISTRY.get("encoder", "identity")) is False
        assert sees_future(REGISTRY.get("dataset", "synthetic")) is None


def test_a_component_at_fault_is_told_and_stops_nothing():
    class Broken(Fusion):
        """Cannot be built, ``(N, D)``."""

        name = "broken"

        def __init__(self, config, dataset, streams):
            raise RuntimeError("no")

        def forward(self, streams, context):
            raise NotImplementedError

    registry = Registry([Entry(Broken, Origin("mine")), *REGISTRY.entries()])
    assert {a.refused for a in surroundings(Broken)} == {"RuntimeError: no"}
    assert (promises(Broken), inputs_read(Broken), sees_future(Broken)) == ({}, ((), ()), None)
    found = {a.where: a.refused for a in partners(REGISTRY.get("classifier", "linear"), registry)}
    assert found["fusion/broken"] == "could not be built"
    assert found["fusion/concat"] == ""


class TestFlow:
    def test_what_depends_on_the_data_is_a_letter(self):
        flow = flow_of(load("sdt_iemocap", ["encoder.type=identity", "fusion.type=concat"]), {"audio": 63})
        assert flow.features == {"text": "D text", "audio": "63", "visual": "D visual"}
        assert flow.by_modality == flow.features
        assert flow.joint == "D"

    def test_what_does_not_is_a_number(self):
        flow = flow_of(load("sdt_iemocap", ["encoder.width=64"]), {})
        assert flow.streams["text"] == {"text": "64", "audio": "64", "visual": "64"}
        assert flow.joint == "64"
        assert [loss.reads for loss in flow.losses] == [("logits",), ("logits", "modalities")]

    def test_class_weights_in_a_list_say_how_many_emotions_there_are(self):
        flow_of(load("sdt_iemocap", ["losses.task.class_weights=[1,1,1,1]", "losses.distill=null"]), {})

    @pytest.mark.parametrize("name", ["sdt_iemocap", "mmgcn_meld", "late_fusion_iemocap", "dialogue_rnn_iemocap"])
    def test_the_drawing_names_every_part_in_the_colour_of_the_page(self, name):
        flow = flow_of(load(name), {})
        drawing = picture(flow, "here")
        for part in (flow.dataset, flow.encoder, flow.fusion, flow.classifier, *flow.losses):
            assert f'<a href="erc:{part.kind}/{part.name}"><text' in drawing
        assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawing)) <= {"currentColor", "none"}
        assert f'<title id="here-title">Data flow of {name}</title>' in drawing
        width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', drawing).groups())
        for x, y, w, h in re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', drawing):
            assert float(x) >= 0
            assert float(x) + float(w) <= width
            assert float(y) + float(h) <= height


def test_words_in_a_drawing_are_escaped():
    drawing = Drawing(10)
    drawing.text(0, 0, "a < b & c", link='erc:"x"')
    shown = drawing.render("<t>", "", "id")
    assert "a &lt; b &amp; c" in shown
    assert 'href="erc:&quot;x&quot;"' in shown
    assert "&lt;t&gt;" in shown
