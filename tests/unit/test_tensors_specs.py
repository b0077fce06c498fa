"""The values that pass between components, and what each part promises the next."""

import dataclasses

import pytest
import torch

from ercframe import (
    Dialogue,
    FusedSpec,
    SpecError,
    Stream,
    Streams,
    StreamSpec,
    Utterance,
    collate,
)

T, A, V = "text", "audio", "visual"


def dialogue(name: str, labels: list[int], available: bool = True) -> Dialogue:
    """A dialogue with one three-wide modality and a two-valued target."""
    n = len(labels)
    return Dialogue(
        id=name,
        features={T: torch.randn(n, 3)},
        available={T: torch.full((n,), available)},
        speaker=torch.zeros(n, dtype=torch.long),
        labels=torch.tensor(labels),
        utterances=[Utterance(f"{name}_{i}") for i in range(n)],
        targets={"vad": torch.randn(n, 2)},
    )


class TestStreams:
    streams = Streams({Stream(t, s): torch.full((2, 1), float(i)) for i, (t, s) in enumerate([(T, A), (A, A), (T, T)])})

    def test_own_stream(self):
        assert self.streams.intra(T)[0].item() == 2

    def test_into_puts_the_own_stream_first_then_the_order_given(self):
        assert list(self.streams.into(T)) == [T, A]
        assert list(self.streams.into(A)) == [A]
        assert self.streams.into(V) == {}

    def test_it_is_a_mapping_in_the_order_given(self):
        assert list(self.streams) == [(T, A), (A, A), (T, T)]
        assert len(self.streams) == 3
        assert (T, V) not in self.streams

    def test_a_stream_is_named_by_target_and_source(self):
        assert str(Stream(T, T)) == "text"
        assert str(Stream(T, A)) == "text←audio"


class TestStreamSpec:
    def test_modalities_are_targets_in_order(self):
        assert StreamSpec({Stream(V, T): 1, Stream(T, T): 1, Stream(V, V): 1}).modalities == (V, T)

    def test_one_width_or_an_error_that_shows_all(self):
        assert StreamSpec({Stream(T, T): 8, Stream(A, A): 8}).width == 8
        with pytest.raises(SpecError) as raised:
            _ = StreamSpec({Stream(T, T): 8, Stream(A, T): 4}).width
        assert str(raised.value) == "needs streams of one width; the encoder provides text (8), audio←text (4)"
        assert raised.value.provider == "encoder"

    def test_own_widths_or_an_error_that_names_the_missing(self):
        assert StreamSpec({Stream(T, A): 4, Stream(T, T): 8}).own_widths() == {T: 8}
        with pytest.raises(SpecError, match=r"^needs an own stream of text; the encoder provides text←audio \(4\)$"):
            StreamSpec({Stream(T, A): 4}).own_widths()

    def test_sources_put_the_target_itself_first(self):
        spec = StreamSpec({Stream(T, V): 1, Stream(T, A): 1, Stream(T, T): 1, Stream(A, A): 1})
        assert spec.sources(T) == (T, V, A)


class TestFusedSpec:
    def test_modalities_kept_apart_or_an_error(self):
        assert FusedSpec(8, {T: 4}).require_by_modality() == {T: 4}
        with pytest.raises(SpecError) as raised:
            FusedSpec(8).require_by_modality()
        assert str(raised.value) == "needs one representation per modality; the fusion provides none"
        assert raised.value.provider == "fusion"


class TestCollate:
    def test_dialogues_are_packed_one_after_the_other(self):
        first, second = dialogue("a", [0, 1]), dialogue("b", [2])
        batch = collate([first, second])
        assert batch.features[T].tolist() == first.features[T].tolist() + second.features[T].tolist()
        assert batch.labels.tolist() == [0, 1, 2]
        assert batch.context.layout.sizes == (2, 1)
        assert batch.targets["vad"].shape == (3, 2)
        assert batch.dialogues == ("a", "b")

    def test_unscored_utterances_are_context_only(self):
        assert collate([dialogue("a", [-1, 4]), dialogue("b", [-1, 0])]).scored.tolist() == [1, 3]
        assert collate([dialogue("a", [-1])]).scored.shape == (0,)

    def test_availability_goes_along(self):
        batch = collate([dialogue("a", [0]), dialogue("b", [0], available=False)])
        assert batch.context.available[T].tolist() == [True, False]

    def test_nothing_to_pack_is_refused(self):
        with pytest.raises(ValueError, match="at least one dialogue"):
            collate([])


class TestBatch:
    batch = collate([dialogue("a", [0, -1])])

    def test_moving_moves_every_tensor(self):
        moved = dataclasses.replace(self.batch, hidden={T: torch.tensor([True, False])}).to("meta")
        assert {x.device.type for x in tensors_of(moved)} == {"meta"}
        assert len(tensors_of(moved)) == len(tensors_of(self.batch)) + 1
        assert moved.dialogues == ("a",)

    def test_every_tensor_is_pinned(self, monkeypatch):
        """Pinning itself needs CUDA."""
        pinned = []
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda x: pinned.append(x) or x)
        assert self.batch.pin_memory().dialogues == ("a",)
        assert {id(x) for x in pinned} == {id(x) for x in tensors_of(self.batch)}

    def test_it_cannot_be_changed_in_place(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            self.batch.labels = torch.zeros(2)

    def test_the_context_holds_no_label(self):
        names = {field.name for field in dataclasses.fields(self.batch.context)}
        assert names == {"layout", "speaker", "available"}


def tensors_of(value: object) -> list[torch.Tensor]:
    """Every tensor in a nest of dataclasses and mappings."""
    if isinstance(value, torch.Tensor):
        return [value]
    if dataclasses.is_dataclass(value):
        return [x for field in dataclasses.fields(value) for x in tensors_of(getattr(value, field.name))]
    return [x for item in value.values() for x in tensors_of(item)] if isinstance(value, dict) else []
