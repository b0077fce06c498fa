"""Feature noise: how much, where, and where not."""

import pytest
import torch

from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.transforms.feature_noise import FeatureNoise
from ercframe_plugins.transforms.modality_dropout import ModalityDropout

MANY = (400, 1, 600, 999)
DATASET = example_dataset()


def noisy(batch, seed=0, **settings):
    transform = FeatureNoise(FeatureNoise.Config(**settings), DATASET)
    return transform.forward(batch, torch.Generator().manual_seed(seed))


def added(batch, **settings):
    return {m: x - batch.features[m] for m, x in noisy(batch, **settings).features.items()}


@pytest.mark.parametrize("level", [0.1, 1.5])
def test_the_noise_has_its_level_and_no_mean(level):
    batch = example_batch(DATASET, MANY, holes=False)
    for noise in added(batch, levels=level).values():
        assert float(noise.std()) == pytest.approx(level, rel=0.05)
        assert float(noise.mean()) == pytest.approx(0, abs=0.05 * level)


def test_each_feature_and_utterance_has_noise_of_its_own():
    noise_ND = added(example_batch(DATASET, MANY, holes=False), levels=1.0)["text"]
    assert float(torch.corrcoef(noise_ND.T)[0, 1].abs()) < 0.1
    assert float(torch.corrcoef(torch.stack([noise_ND[:-1, 0], noise_ND[1:, 0]]))[0, 1].abs()) < 0.1


def test_modalities_without_a_level_stay():
    batch = example_batch(DATASET, MANY)
    changed = noisy(batch, levels={"audio": 1.0})
    for m in ("text", "visual"):
        assert torch.equal(changed.features[m], batch.features[m])
    assert not torch.equal(changed.features["audio"], batch.features["audio"])


def test_rows_that_are_not_available_stay_zeros():
    batch = example_batch(DATASET, MANY, holes=True)
    hidden = ModalityDropout(ModalityDropout.Config(rates=0.5), DATASET).forward(batch, torch.Generator())
    for m, x_ND in noisy(hidden, levels=3.0).features.items():
        has_N = hidden.context.available[m]
        assert 0 < int(has_N.sum()) < len(has_N)
        assert not x_ND[~has_N].any()
        assert (x_ND[has_N] != hidden.features[m][has_N]).all()


def test_unknown_modality_is_refused():
    with pytest.raises(ValueError, match=r"levels must name modalities of the data, .* \(got 'smell'\)"):
        noisy(example_batch(DATASET, MANY), levels={"smell": 0.5})


@pytest.mark.parametrize("levels", [-0.1, float("inf"), float("nan"), {"text": -2}])
def test_level_out_of_range_is_refused(levels):
    with pytest.raises(ValueError, match=r"(greater than or equal to 0|finite number)"):
        FeatureNoise.Config(levels=levels)
