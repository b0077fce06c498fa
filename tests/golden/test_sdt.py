"""SDT equals the released code, and the check that says so can fail."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent
FILES = sorted((HERE / "data").glob("sdt_*.npz"))
IEMOCAP, MELD = FILES


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(HERE)
    import check

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the arrays are so small that threads would only wait for each other
    yield check
    torch.set_num_threads(threads)


@pytest.fixture
def altered(tmp_path: Path) -> Callable[..., str]:
    """Write a golden file with some arrays or settings replaced, or left out where None; returns its path."""

    def write(file: Path = IEMOCAP, meta: dict | None = None, **arrays: np.ndarray | None) -> str:
        content = dict(np.load(file)) | {name.replace("__", "/"): x for name, x in arrays.items()}
        settings = json.loads(bytes(content["meta"])) | (meta or {})
        kept = {name: x for name, x in settings.items() if x is not None}
        content["meta"] = np.frombuffer(json.dumps(kept).encode(), dtype=np.uint8)
        np.savez(tmp_path / "altered.npz", **{name: x for name, x in content.items() if x is not None})
        return str(tmp_path / "altered.npz")

    return write


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_everything_equals_the_released_code(check: ModuleType, file: Path):
    errors = check.compare(check.Golden.read(file))
    assert len(errors) == 13
    assert max(errors.values()) < 1e-12


def test_the_command_passes_both_files():
    done = subprocess.run([sys.executable, HERE / "check.py", *FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("gradients") == done.stdout.count("parameters after 5 Adam steps") == 2


@pytest.mark.parametrize(
    ("array", "group"),
    [
        ("output/logp_audio", "outputs"),
        ("output/prob_joint_T", "outputs at temperature"),
        ("loss/task", "loss task"),
        ("loss/hard_visual", "loss hard_visual"),
        ("loss/soft_text", "loss soft_text"),
        ("loss/total", "loss total"),
        ("grad/a_t.transformer_inter.0.self_attn.linear_k.weight", "gradients"),
        ("trajectory/loss", "loss in 5 Adam steps"),
        ("after/v_a_gate.fc.weight", "parameters after 5 Adam steps"),
    ],
)
def test_an_array_that_is_off_fails_in_its_group_alone(check, altered, capsys, array, group):
    value = np.load(IEMOCAP)[array].copy()
    value[(0,) * value.ndim] += 2e-9
    assert check.main([altered(**{array: value})]) == 1
    assert [line[2:34].strip() for line in capsys.readouterr().out.splitlines() if "above" in line] == [group]


def test_what_is_not_a_number_fails(check, altered):
    assert check.main([altered(loss__task=np.array(np.nan))]) == 1


@pytest.mark.parametrize("setting", ["temperature", "heads", "lr", "weight_decay", "gamma_hard", "gamma_soft"])
def test_every_setting_is_the_files_own(check, altered, setting):
    meta = json.loads(bytes(np.load(IEMOCAP)["meta"]))
    assert check.main([altered(meta={setting: meta[setting] * 2})]) == 1


def test_another_start_fails(check, altered):
    start = np.load(MELD)["param/last_gate.fc.weight"]
    assert check.main([altered(MELD, **{"param/last_gate.fc.weight": start + 1e-6})]) == 1


def test_a_bias_without_gradient_must_move_by_its_penalty(check, altered):
    name = "t_v.transformer_inter.0.self_attn.linear_k.bias"
    assert check.main([altered(**{f"after/{name}": np.load(IEMOCAP)[f"param/{name}"]})]) == 1


def _eye(scale: float) -> np.ndarray:
    return scale * np.eye(24)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (IEMOCAP, {"meta": {"steps": None, "lr": None}}, "meta must have lr, steps"),
        (IEMOCAP, {"meta": {"lr": "fast"}}, "meta.lr must be a number (got 'fast')"),
        (IEMOCAP, {"meta": {"dropout": 0.5}}, "meta.dropout must be 0, since random draws differ (got 0.5)"),
        (IEMOCAP, {"meta": {"steps": 0}}, "meta.steps must be at least 1 (got 0)"),
        (IEMOCAP, {"meta": {"heads": 5}}, "width must be divisible by heads (got width 24, heads 5)"),
        (IEMOCAP, {"meta": {"classes": 5}}, "input/label must be from 0 to below meta.classes (got 0 to 5)"),
        (IEMOCAP, {"meta": {"unimodal_gate": "silu"}}, "must be the identity where meta.unimodal_gate is 'silu'"),
        (IEMOCAP, {"class_weight": np.ones(4)}, "must have one number for each of the 6 emotions"),
        (IEMOCAP, {"class_weight": None}, "must hold class_weight"),
        (IEMOCAP, {"input__mask": np.eye(3, 7)}, "each row of input/mask must be some 1, then 0"),
        (IEMOCAP, {"input__text": np.ones((3, 6, 20))}, "input/text must begin with the axes of input/mask, (3, 7)"),
        (IEMOCAP, {"input__audio": np.ones((3, 7, 16), np.float32)}, "arrays must be float64 (got torch.float32"),
        (IEMOCAP, {"param__last_gate.fc.weight": _eye(1)[:9]}, "must have the shape (24, 24) (got (9, 24))"),
        (IEMOCAP, {"param__odd.weight": _eye(1)}, "param/odd.weight must be a parameter of SDT"),
        (IEMOCAP, {"output__logp_text": None}, "must hold output/logp_text"),
        (IEMOCAP, {"trajectory__loss": np.ones(4)}, "trajectory/loss must have the shape (5,) (got (4,))"),
        (MELD, {"param__t_t_gate.fc.weight": _eye(2)}, "param/t_t_gate.fc.weight must be the identity"),
    ],
)
def test_a_file_that_cannot_be_compared_says_why(check, altered, capsys, file, change, message):
    assert check.main([altered(file, **change)]) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_golden_file_cannot_be_compared(check, tmp_path, capsys):
    (tmp_path / "notes.npz").write_text("not an archive")
    assert check.main([str(tmp_path / "notes.npz"), str(tmp_path / "absent.npz")]) == 2
    assert capsys.readouterr().err.count("must be an .npz archive") == 2
    assert check.main([]) == 2


@pytest.fixture
def sdt(check):
    """The golden SDT with its parameters, and its batch."""
    golden = check.Golden.read(MELD)
    learner = check.build(golden)
    check.start(learner, golden)
    return learner, golden


def _logits_and_gradients(learner, batch):
    output, terms = learner(batch)
    parameters = list(learner.parameters())
    gradients = torch.autograd.grad(learner.objective.total(terms), parameters)
    return output.decision.logits.detach(), gradients


def test_the_order_of_dialogues_does_not_matter(sdt):
    learner, golden = sdt
    dialogues = golden.dialogues()
    logits, gradients = _logits_and_gradients(learner, golden.batch())
    turned_logits, turned_gradients = _logits_and_gradients(learner, golden.batch(dialogues[::-1]))
    parts = logits.split([len(d) for d in dialogues])
    torch.testing.assert_close(turned_logits, torch.cat(parts[::-1]), rtol=0, atol=1e-12)
    torch.testing.assert_close(turned_gradients, gradients, rtol=0, atol=1e-12)


def test_a_dialogue_alone_is_as_in_the_batch(sdt):
    learner, golden = sdt
    together = learner(golden.batch())[0].decision.logits
    alone = [learner(golden.batch([dialogue]))[0].decision.logits for dialogue in golden.dialogues()]
    torch.testing.assert_close(torch.cat(alone), together, rtol=0, atol=1e-12)


def test_what_is_in_the_gaps_does_not_matter(sdt):
    learner, golden = sdt
    batch = golden.batch()
    filled = replace(batch, context=replace(batch.context, layout=replace(batch.context.layout, fill=-7.5)))
    logits, gradients = _logits_and_gradients(learner, batch)
    filled_logits, filled_gradients = _logits_and_gradients(learner, filled)
    torch.testing.assert_close(filled_logits, logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(filled_gradients, gradients, rtol=0, atol=1e-12)
