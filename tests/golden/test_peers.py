"""bc-LSTM, DialogueRNN and MMGCN, composed of this project's parts, against tensors from their released code.

Where a released system reads padding as if it were utterances, its tensors come out of this project's parts when they
are given the padding as utterances; the parts themselves, packed, are compared with runs of single dialogues.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from peer_file import PeerFile
from torch import Tensor, nn

from ercframe import (
    Component,
    Context,
    Decision,
    FusionOutput,
    Layout,
    ModelOutput,
    ModelSpec,
    Stream,
    Streams,
    collate,
)
from ercframe.model import Model
from ercframe.objective import mean
from ercframe.plugins import load
from ercframe_plugins.fusion.utterance_graph import connect

# Shape letters: B dialogues, L longest dialogue, N utterances, M modalities, D features, C emotions, H graph features.

DATA = Path(__file__).parent / "data" / "peers"
TOLERANCE = 1e-9

bclstm = pytest.mark.parametrize("golden", ["bclstm_plain", "bclstm_attention"], indirect=True)
dialogue_rnn = pytest.mark.parametrize(
    "golden",
    ["dialoguernn_2spk", "dialoguernn_2spk_listener", "dialoguernn_5spk", "dialoguernn_5spk_listener"],
    indirect=True,
)
mmgcn = pytest.mark.parametrize("golden", ["mmgcn_iemocap", "mmgcn_meld"], indirect=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> PeerFile:
    return PeerFile.read(DATA / f"{request.param}.npz")


@pytest.fixture(autouse=True)
def _float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def build() -> Callable[..., Component]:
    """Build a component by kind and name."""
    registry = load()

    def make(kind: str, name: str, config: Mapping[str, object], *before: object) -> Component:
        component = registry.get(kind, name)
        return component(component.Config(**config), *before)

    return make


def model_of(golden: PeerFile, build, encoder: dict, fusion: dict, classifier: dict) -> Model:
    parts = [build("encoder", encoder.pop("type"), encoder, golden.info)]
    parts.append(build("fusion", fusion.pop("type"), fusion, golden.info, parts[0].spec))
    parts.append(build("classifier", "mlp", classifier | {"dropout": 0.0}, golden.info, parts[1].spec))
    return Model(*parts)


def task_loss(golden: PeerFile, build, logits_NC: Tensor) -> Tensor:
    """What the project's cross-entropy says."""
    config = {"class_weights": golden.class_weights or "none"}
    loss = build("loss", "cross_entropy", config, golden.info, ModelSpec(None, None))
    output = ModelOutput(Streams({}), FusionOutput(logits_NC), Decision(logits_NC))
    return mean(loss(output, golden.batch)["nll"])


def assert_same(got: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=TOLERANCE, msg=lambda text: f"{what}: {text}")


def assert_same_gradients(module: nn.Module, expected: Mapping[str, Tensor]) -> None:
    """Every parameter has the gradient that the released code found."""
    got = {name: parameter.grad for name, parameter in module.named_parameters()}
    assert got.keys() == expected.keys()
    for name, grad in got.items():
        assert_same(grad, expected[name], f"gradient of {name}")


def renamed(arrays: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Arrays under this project's names, given their prefixes as ``released: ours``."""
    return {
        ours + name.removeprefix(theirs): x
        for theirs, ours in prefixes.items()
        for name, x in arrays.items()
        if name.startswith(theirs)
    }


class TestBcLSTM:
    @staticmethod
    def build(golden: PeerFile, build) -> Model:
        meta = golden.meta
        attention = "matching" if meta["attention"] else "none"
        encoder = {"type": "bilstm", "hidden": meta["D_e"], "dropout": 0.0, "attention": attention}
        model = model_of(golden, build, encoder, {"type": "concat"}, {"hidden": (meta["D_h"],)})
        model.load_state_dict(TestBcLSTM.ours(golden.under("param")))
        return model

    @staticmethod
    def ours(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
        prefixes = {
            "lstm.": "encoder.recurrent.text.context.lstm.",
            "matchatt.": "encoder.recurrent.text.attention.",
            "linear.": "classifier.layers.0.",
            "smax_fc.": "classifier.layers.3.",
        }
        return renamed(released, prefixes)

    @bclstm
    def test_a_dialogue_in_a_batch_is_as_released_alone(self, golden, build):
        output = self.build(golden, build)(golden.batch.features, golden.batch.context)
        alone = torch.cat([golden[f"output_alone/log_prob_{b}"] for b in range(golden.layout.dialogues)])
        assert_same(output.decision.logits.log_softmax(-1), alone, "log_prob")

    @bclstm
    def test_alone_it_is_the_same(self, golden, build):
        model = self.build(golden, build)
        for b, length in enumerate(golden.layout.sizes):
            batch = collate([golden.dialogue(b, length, golden.layout.mask.long(), torch.zeros(length).long())])
            logits_NC = model(batch.features, batch.context).decision.logits
            assert_same(logits_NC.log_softmax(-1), golden[f"output_alone/log_prob_{b}"], f"dialogue {b}")

    @bclstm
    def test_with_padding_as_utterances_values_and_gradients_are_the_released_batch(self, golden, build):
        model = self.build(golden, build)
        encoder = model.encoder.recurrent["text"]
        x_BLD = golden.features["text"].clone().requires_grad_()
        everything = Layout.from_lengths([golden.layout.longest] * golden.layout.dialogues)
        lstm_BLD = everything.to_padded(encoder.context(x_BLD.flatten(0, 1), everything))
        assert_same(lstm_BLD, golden["output/lstm"], "lstm")
        x_ND = golden.rows(lstm_BLD)
        if golden.meta["attention"]:
            alpha_BLL = encoder.attention.weights(lstm_BLD, golden.layout)
            assert_same(golden.rows(alpha_BLL), golden.rows(golden["output/alpha"]), "alpha")
            x_ND = encoder.attention(x_ND, golden.layout)
            assert_same(x_ND, golden.rows(golden["output/attended"]), "attended")
        logits_NC = model.classifier(FusionOutput(x_ND), golden.batch.context).logits
        assert_same(logits_NC.log_softmax(-1), golden.rows(golden["output/log_prob"]), "log_prob")
        loss = task_loss(golden, build, logits_NC)
        assert_same(loss, golden["loss/nll"], "loss")
        loss.backward()
        assert_same(x_BLD.grad, golden["grad_input/features"], "gradient of the features")
        assert_same_gradients(model, self.ours(golden.under("grad")))


class TestDialogueRNN:
    @staticmethod
    def build(golden: PeerFile, build, *, emotion_attention: bool = True) -> Model:
        meta = golden.meta
        encoder = {
            "type": "dialogue_rnn",
            "global_width": meta["D_g"],
            "party_width": meta["D_p"],
            "emotion_width": meta["D_e"],
            "listener": meta["listener_state"],
            "emotion_attention": emotion_attention,
            "recurrent_dropout": 0.0,
            "dropout": 0.0,
        }
        model = model_of(golden, build, encoder, {"type": "concat"}, {"hidden": (2 * meta["D_h"],)})
        ours = TestDialogueRNN.ours(golden.under("param"), meta["D_m"])
        model.load_state_dict({n: x for n, x in ours.items() if emotion_attention or "joint.attention" not in n})
        return model

    @staticmethod
    def ours(released: Mapping[str, Tensor], features: int) -> dict[str, Tensor]:
        shared = {
            "matchatt.": "encoder.models.joint.attention.",
            "linear.": "classifier.layers.0.",
            "smax_fc.": "classifier.layers.3.",
        }
        found = renamed(released, shared)
        for i, letter in enumerate("fr"):
            theirs = renamed(released, {f"dialog_rnn_{letter}.dialogue_cell.": ""})
            for name, x in TestDialogueRNN.one_way(theirs, features).items():
                found[f"encoder.models.joint.directions.{i}.{name}"] = x
        return found

    @staticmethod
    def one_way(released: Mapping[str, Tensor], features: int) -> dict[str, Tensor]:
        found = {"query.weight": released["attention.transform.weight"]}
        for theirs, ours in {"g_cell": "global_cell", "p_cell": "speaker", "l_cell": "listener"}.items():
            cell = renamed(released, {f"{theirs}.": ""})
            if cell:
                found[f"{ours}.known.weight"] = cell["weight_ih"][:, :features]
                found[f"{ours}.known.bias"] = cell["bias_ih"]
                found[f"{ours}.fed.weight"] = cell["weight_ih"][:, features:]
                found[f"{ours}.hidden.weight"] = cell["weight_hh"]
                found[f"{ours}.hidden.bias"] = cell["bias_hh"]
        return found | {f"emotion.{n}_l0": x for n, x in renamed(released, {"e_cell.": ""}).items()}

    @dialogue_rnn
    def test_values_and_gradients(self, golden, build):
        model, batch = self.build(golden, build), golden.batch
        x_ND = batch.features["text"].requires_grad_()
        output = model(batch.features, batch.context)
        assert_same(output.streams[Stream("joint", "joint")], golden.rows(golden["output/attended"]), "attended")
        log_prob_NC = output.decision.logits.log_softmax(-1)
        assert_same(log_prob_NC, golden.rows(golden["output/log_prob"]), "log_prob")
        loss = task_loss(golden, build, output.decision.logits)
        assert_same(loss, golden["loss/nll"], "loss")
        loss.backward()
        assert_same(x_ND.grad, golden.rows(golden["grad_input/features"]), "gradient of the features")
        assert_same_gradients(model, self.ours(golden.under("grad"), golden.meta["D_m"]))

    @dialogue_rnn
    def test_emotion_states_of_both_directions_and_what_attends_to_them(self, golden, build):
        model, batch = self.build(golden, build, emotion_attention=False), golden.batch
        output = model(batch.features, batch.context)
        forward_ND, backward_ND = output.fused.joint.chunk(2, dim=-1)
        assert_same(forward_ND, golden.rows(golden["output/emotions_forward"]), "forward")
        theirs = golden.rows(golden["output/emotions_backward_reversed_time"]).split(golden.layout.sizes)
        assert_same(backward_ND, torch.cat([x.flip(0) for x in theirs]), "backward")
        without_NC = output.decision.logits.log_softmax(-1)
        assert_same(without_NC, golden.rows(golden["output/log_prob_without_emotion_attention"]), "log_prob")
        attention = self.build(golden, build).encoder.models["joint"].attention
        alpha_BLL = attention.weights(golden.layout.to_padded(output.fused.joint), golden.layout)
        assert_same(golden.rows(alpha_BLL), golden.rows(golden["output/alpha_emotion"]), "alpha")

    @dialogue_rnn
    def test_each_dialogue_alone_is_the_same(self, golden, build):
        model, speaker_BL = self.build(golden, build), golden.padded("speaker")
        for b, length in enumerate(golden.layout.sizes):
            batch = collate([golden.dialogue(b, length, speaker_BL, torch.zeros(length).long())])
            logits_NC = model(batch.features, batch.context).decision.logits
            assert_same(logits_NC.log_softmax(-1), golden["output/log_prob"][b, :length], f"dialogue {b}")


class TestMMGCN:
    @staticmethod
    def build(golden: PeerFile, build) -> Model:
        meta = golden.meta
        encoder = {
            "type": "bilstm",
            "hidden": meta["lstm_hidden"],
            "project": meta["d_node"],
            "recurrent": ("text",),
            "dropout": 0.0,
        }
        fusion = {
            "type": "graph",
            "hidden": meta["graph_hidden"],
            "layers": meta["layers"],
            "alpha": meta["alpha"],
            "decay": meta["lamda"],
            "speaker_embedding_on": ("text",),
            "dropout": 0.0,
        }
        model = model_of(golden, build, encoder, fusion, {"hidden": (), "activate_input": True})
        model.load_state_dict(TestMMGCN.ours(golden.under("param")))
        return model

    @staticmethod
    def ours(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
        prefixes = {
            "linear_a.": "encoder.linear.audio.",
            "linear_v.": "encoder.linear.visual.",
            "linear_l.": "encoder.recurrent.text.project.",
            "lstm_l.": "encoder.recurrent.text.context.lstm.",
            "graph_model.graph_net.fcs.0.": "fusion.first.",
            "smax_fc.": "classifier.layers.2.",
        }
        found = renamed(released, prefixes)
        for name, x in renamed(released, {"graph_model.graph_net.convs.": ""}).items():
            found[f"fusion.layers.{name.removesuffix('.weight')}.mix.weight"] = x.T
        rows_SD = released["graph_model.speaker_embeddings.weight"]
        unknown_1D = torch.zeros_like(rows_SD[:1])
        return found | {"fusion.speaker.weight": torch.cat([rows_SD, unknown_1D])}

    @staticmethod
    def nodes(golden: PeerFile) -> dict[str, Tensor]:
        return {m: golden[f"output/node_{m}"].clone().requires_grad_() for m in golden.modalities}

    @staticmethod
    def focal(golden: PeerFile, log_prob_NC: Tensor) -> Tensor:
        """The loss the released script has on MELD: grows without bound on hard rows, pulls to uniform elsewhere."""
        truth_NC = nn.functional.one_hot(golden.batch.labels, log_prob_NC.shape[-1])
        return (-((1 - truth_NC * log_prob_NC) ** golden.meta["focal_gamma"]) * log_prob_NC).mean()

    def loss(self, golden: PeerFile, build, logits_NC: Tensor) -> Tensor:
        """The loss whose gradients the file has, after a look at the values of both."""
        losses = {"nll": task_loss(golden, build, logits_NC), "focal": self.focal(golden, logits_NC.log_softmax(-1))}
        for name, loss in losses.items():
            assert_same(loss, golden[f"loss/{name}"], name)
        return losses[golden.meta["grad_of"]]

    @mmgcn
    def test_adjacency(self, golden):
        nodes = {m: golden[f"output/node_{m}"] for m in golden.modalities}
        rows_SD = golden["param/graph_model.speaker_embeddings.weight"]
        nodes["text"] = nodes["text"] + rows_SD[golden.batch.context.speaker]
        x_NMD = torch.stack(list(nodes.values()), dim=1)
        edges = connect(golden.layout.to_padded(x_NMD).transpose(1, 2), golden.layout)
        # Each edge tensor times the unit vectors of one node is that node's column of the matrix.
        count = x_NMD.shape[0] * x_NMD.shape[1]
        units = torch.eye(count).view(x_NMD.shape[1], x_NMD.shape[0], count).transpose(0, 1)
        spread = edges.spread(golden.layout.to_padded(units).transpose(1, 2)).transpose(1, 2)
        assert_same(golden.rows(spread).transpose(0, 1).flatten(0, 1), golden["output/adj"], "adjacency")

    @mmgcn
    def test_graph_and_classifier_on_the_released_nodes(self, golden, build):
        model, nodes = self.build(golden, build), self.nodes(golden)
        before_relu = []
        for layer in model.fusion.layers:
            layer.register_forward_hook(lambda layer, inputs, z_BMLH: before_relu.append(z_BMLH))
        fused = model.fusion(Streams({Stream(m, m): x for m, x in nodes.items()}), golden.batch.context)
        assert len(before_relu) == golden.meta["layers"]
        for depth, z_BMLH in enumerate(before_relu):
            z_MNH = golden.rows(z_BMLH.transpose(1, 2)).transpose(0, 1)
            assert_same(z_MNH.flatten(0, 1), golden[f"output/conv{depth}_prerelu"], f"layer {depth}")
        assert_same(fused.joint, golden["output/graph_features"], "graph_features")
        logits_NC = model.classifier(fused, golden.batch.context).logits
        assert_same(logits_NC.log_softmax(-1), golden["output/log_prob"], "log_prob")
        self.loss(golden, build, logits_NC).backward()
        for m, x_ND in nodes.items():
            assert_same(x_ND.grad, golden[f"grad_input/node_{m}"], f"gradient of {m} nodes")

    @mmgcn
    def test_with_padding_as_utterances_the_whole_model_and_its_gradients(self, golden, build):
        model = self.build(golden, build)
        everything = Layout.from_lengths([golden.layout.longest] * golden.layout.dialogues)
        padded = Context(everything, torch.zeros(everything.utterances).long(), {})
        streams = model.encoder({m: x_BLD.flatten(0, 1) for m, x_BLD in golden.features.items()}, padded)
        real = Streams({stream: golden.rows(everything.to_padded(x)) for stream, x in streams.items()})
        for m in golden.modalities:
            assert_same(real.intra(m), golden[f"output/node_{m}"], f"{m} nodes")
        decision = model.classifier(model.fusion(real, golden.batch.context), golden.batch.context)
        self.loss(golden, build, decision.logits).backward()
        assert_same_gradients(model, self.ours(golden.under("grad")))

    @mmgcn
    def test_packed_only_the_text_of_shorter_dialogues_differs(self, golden, build):
        streams = self.build(golden, build).encoder(golden.batch.features, golden.batch.context)
        for m in ("audio", "visual"):
            assert_same(streams.intra(m), golden[f"output/node_{m}"], f"{m} nodes")
        same_N = (streams.intra("text") - golden["output/node_text"]).abs().amax(-1) < TOLERANCE
        longest_N = golden.layout.lengths[golden.layout.dialogue] == golden.layout.longest
        assert same_N.tolist() == longest_N.tolist()
