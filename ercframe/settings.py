"""What a recipe may set that belongs to no single plugin: how to train, how to report, which neighbours are seen."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Settings(BaseModel):
    """Base of everything a recipe may set: frozen, and no unknown key passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Window(Settings):
    """Which neighbours an utterance may attend to."""

    past: int | None = Field(None, ge=0, description="How many earlier utterances; null for all.")
    future: int | None = Field(None, ge=0, description="How many later utterances; null for all, 0 for a causal model.")


PrecisionName = Literal["auto", "fp32", "tf32", "bf16", "fp16"]


class GroupSettings(Settings):
    """What is different for some parameters."""

    lr: float | None = Field(None, gt=0, description="Their learning rate; null: that of all.")
    weight_decay: float | None = Field(None, ge=0, description="Their weight decay; null: that of all.")

    @model_validator(mode="after")
    def _sets_something(self) -> "GroupSettings":
        if self.lr is None and self.weight_decay is None:
            raise ValueError("must set lr or weight_decay")
        return self


class OptimizerSettings(Settings):
    """Which PyTorch optimizer, and its knobs."""

    name: Literal["adam", "adamw", "sgd"] = Field(
        "adam",
        description="adam: L2 in the gradient, as SDT has it. adamw: decoupled decay. sgd: with momentum 0.9.",
    )
    lr: float = Field(1e-4, gt=0, description="Learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="L2 strength (adam, sgd) or decoupled decay (adamw).")
    decay_biases: bool = Field(
        True,
        description="false: no decay of parameters with a single axis, such as biases and the gains of normalisations, "
        "in any group.",
    )
    groups: dict[str, GroupSettings] = Field(
        {},
        description="Parts, modules or parameters with a rate or decay of their own, by name or pattern: encoder, "
        "losses.distill, encoder.*.bias. No two may name the same parameter.",
    )


class ScheduleSettings(Settings):
    """How learning rates change while training."""

    name: Literal["constant", "linear", "cosine", "one_cycle", "plateau"] = Field(
        "constant",
        description="After the warm-up: constant; linear or cosine: down to final; plateau: lower when dev does not "
        "get better. one_cycle: up from 1/25 of the rate, then down to almost nothing, by cosines.",
    )
    warmup_steps: int | None = Field(
        None, ge=0, description="Steps in which rates rise evenly to their full value; null: see warmup_share."
    )
    warmup_share: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="The same as a share of all steps of all epochs; null: none, but 0.3 for one_cycle.",
    )
    final: float = Field(
        0.0, ge=0, le=1, description="linear, cosine: share of the rate that is left after the last step."
    )
    factor: float = Field(0.1, gt=0, lt=1, description="plateau: what rates are multiplied by.")
    patience: int = Field(10, ge=0, description="plateau: epochs without a better dev score that are waited for.")

    @model_validator(mode="after")
    def _only_what_has_an_effect(self) -> "ScheduleSettings":
        if self.warmup_steps is not None and self.warmup_share is not None:
            raise ValueError("must have warmup_steps or warmup_share, not both")
        used = {"linear": ("final",), "cosine": ("final",), "plateau": ("factor", "patience")}.get(self.name, ())
        _refuse_unused(self, ("final", "factor", "patience"), used)
        return self


class AverageSettings(Settings):
    """Which weights are averaged."""

    name: Literal["ema", "swa"] = Field(
        description="ema: moving average of the weights after each step. swa: plain mean of those at the end of epochs."
    )
    decay: float = Field(
        0.99, gt=0, lt=1, description="ema: weight of what is there; about 1/(1 − decay) steps count, at first all."
    )
    start_epoch: int = Field(1, ge=1, description="The first epoch whose weights are averaged.")

    @model_validator(mode="after")
    def _only_what_has_an_effect(self) -> "AverageSettings":
        _refuse_unused(self, ("decay",), ("decay",) if self.name == "ema" else ())
        return self


def _refuse_unused(settings: ScheduleSettings | AverageSettings, special: Iterable[str], used: Iterable[str]) -> None:
    """Refuse what was set though a ``name`` does not read it.

    Raises:
        ValueError: names all that was.
    """
    fields = type(settings).model_fields
    idle = [name for name in special if name not in used and getattr(settings, name) != fields[name].default]
    if idle:
        raise ValueError(f"must not set what {settings.name} does not use (got {', '.join(idle)})")


class TrainerSettings(Settings):
    """How a model is trained."""

    epochs: int = Field(50, ge=1, description="Passes over the training dialogues.")
    batch_dialogues: int = Field(16, ge=1, description="Dialogues in a batch.")
    accumulate: int = Field(
        1,
        ge=1,
        description="Batches in a step. Their gradients are those of one batch of all their dialogues, in little more "
        "than the memory of one. Losses that compare the utterances of a batch with each other need 1.",
    )
    optimizer: OptimizerSettings = Field(OptimizerSettings(), description="The optimizer.")
    schedule: ScheduleSettings = Field(ScheduleSettings(), description="How learning rates change.")
    average: AverageSettings | None = Field(
        None,
        description="Average the weights; the averaged ones are scored, choose the epoch and are saved, while training "
        "goes on with its own. null: no average.",
    )
    clip_norm: float | None = Field(None, gt=0, description="Scale gradients down to this total norm; null never does.")
    patience: int | None = Field(
        None,
        ge=1,
        description="Stop after this many epochs without a better score of what the protocol chooses by, which is dev "
        "under heldout; null never does.",
    )
    deterministic: bool = Field(
        False,
        description="On a GPU: only operations that give the same bits each time, which may be slower; an operation "
        "without such a form is an error. A CPU repeats itself exactly anyway.",
    )
    checkpoint_seconds: float = Field(
        60,
        ge=0,
        description="Seconds of training after which the state is saved that `--resume` goes on from, and at least "
        "twenty times what saving takes; 0: after every batch. It changes no result.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto takes CUDA where there is one; or cpu, cuda, cuda:1.",
    )
    precision: PrecisionName = Field(
        "auto",
        description="Arithmetic of the matrix products: fp32, bf16 (autocast), and on CUDA tf32 or fp16 (autocast with "
        "a scaled loss). auto: bf16 on a GPU that has it, else fp32. Weights and losses are float32 in all of them.",
    )

    @model_validator(mode="after")
    def _average_begins(self) -> "TrainerSettings":
        if self.average is not None and self.average.start_epoch > self.epochs:
            raise ValueError(
                f"average.start_epoch must be at most epochs, {self.epochs} (got {self.average.start_epoch})"
            )
        return self


Groups = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class ProtocolSettings(Settings):
    """How an epoch is chosen and a number is reported."""

    name: Literal["heldout", "paper"] = Field(
        "heldout",
        description="heldout: the best dev epoch, dev carved from train where the data has none. "
        "paper: dev merged into train and the best *test* epoch, as most publications do; labelled so.",
    )
    monitor: Literal["weighted_f1", "accuracy", "macro_f1"] = Field(
        "weighted_f1", description="Score that chooses the epoch; higher is better."
    )
    seeds: Annotated[int, Field(ge=1)] | Annotated[tuple[Seed, ...], Field(min_length=1)] = Field(
        5, description="A number n means seeds 0 to n−1; a list is taken as it is."
    )
    dev_fraction: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="heldout: share of training dialogues carved as dev where the data has none.",
    )
    dev_seed: Seed = Field(0, description="heldout: which dialogues are carved; the same for every seed.")
    test_groups: Groups | None = Field(
        None,
        description="Test is all dialogues of these groups, such as recording sessions, wherever the corpus's own "
        "splits have them; all others are trained on, less a dev carved from them. null: the corpus's own splits.",
    )
    dev_groups: Groups | None = Field(
        None, description="heldout with test_groups: dev is these groups; null: a share of the dialogues, dev_fraction."
    )
    show_gap: bool = Field(
        True,
        description="Score test after every epoch, to show beside the result what choosing on test would have claimed. "
        "Nothing reads these scores to decide. false: test is scored once, at the end.",
    )

    @model_validator(mode="after")
    def _paper_needs_test_scores(self) -> "ProtocolSettings":
        if self.name == "paper" and not self.show_gap:
            raise ValueError("protocol 'paper' chooses on test, so show_gap must be true")
        if isinstance(self.seeds, tuple) and len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must differ from each other (got {list(self.seeds)})")
        return self

    @model_validator(mode="after")
    def _groups_divide(self) -> "ProtocolSettings":
        test, dev = self.test_groups or (), self.dev_groups or ()
        problems = [
            f"{name} must differ from each other (got {', '.join(groups)})"
            for name, groups in (("test_groups", test), ("dev_groups", dev))
            if len(set(groups)) != len(groups)
        ]
        if dev and not test:
            problems.append("dev_groups needs test_groups (got none)")
        if dev and self.name == "paper":
            problems.append("protocol 'paper' has no dev, so dev_groups must be left out")
        if both := [group for group in test if group in dev]:
            problems.append(f"a group must be in test_groups or in dev_groups (got {', '.join(both)} in both)")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def seed_list(self) -> tuple[int, ...]:
        """The seeds to run, in order."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds
