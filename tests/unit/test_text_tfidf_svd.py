"""The extractor ``text_tfidf_svd``: the formula by hand, what it learns, and that it can be restored."""

import numpy as np
import pytest

from ercframe import Fitted, InputError
from ercframe_plugins.extractors.text_tfidf_svd import TextTfidfSvd

pytestmark = pytest.mark.extra
TRAIN = ["oh no no no", "oh yes", "yes we can", "no we can not", "can you hear me ?", "I hear you"]


def fitted(texts=TRAIN, **settings):
    extractor = TextTfidfSvd(TextTfidfSvd.Config(**{"width": 3, "min_count": 1, "ngrams": (1, 1), **settings}))
    extractor.load("cpu")
    extractor.fit(iter(texts))
    return extractor


def test_weights_are_those_of_the_formula():
    extractor = fitted()
    terms, idf = extractor.fitted().words["terms"], extractor.fitted().arrays["idf"]
    in_train = {term: sum(term in text.lower().split() for text in TRAIN) for term in terms}
    np.testing.assert_allclose(idf, [np.log(7 / (1 + in_train[term])) + 1 for term in terms])
    weights = {term: idf[terms.index(term)] for term in terms}
    x = np.zeros(len(terms))
    x[terms.index("oh")], x[terms.index("no")] = weights["oh"], (1 + np.log(3)) * weights["no"]
    expected = x / np.linalg.norm(x) @ extractor.fitted().arrays["directions"]
    np.testing.assert_allclose(extractor.extract(["Oh no no NO never"])[0], expected, atol=1e-6)


def test_directions_are_orthonormal_with_their_largest_entry_positive():
    directions = fitted().fitted().arrays["directions"]
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-6)
    assert (directions[np.abs(directions).argmax(axis=0), range(3)] > 0).all()


def test_fitting_again_gives_the_same_bytes_whatever_the_random_state():
    first = fitted().fitted()
    np.random.seed(5)
    second = fitted().fitted()
    assert first.words == second.words
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes()


@pytest.mark.parametrize(
    "settings", [{}, {"unit": "characters", "ngrams": (2, 4)}, {"lowercase": False, "max_terms": 8}]
)
def test_what_was_learnt_can_be_saved_and_restored(tmp_path, settings):
    extractor = fitted(**settings)
    extractor.fitted().save(tmp_path / "fitted.safetensors")
    again = TextTfidfSvd(extractor.config)
    again.restore(Fitted.open(tmp_path / "fitted.safetensors"))
    texts = [*TRAIN, "nothing known", "Élan, 你好!", ""]
    np.testing.assert_array_equal(again.extract(texts), extractor.extract(texts))
    assert extractor.extract(texts).dtype == np.float32


def test_an_utterance_without_a_known_term_is_zeros():
    assert not fitted().extract(["unheard words"]).any()


def test_terms_of_other_splits_are_not_learnt():
    assert "never" not in fitted().fitted().words["terms"]
    assert fitted(min_count=3, width=1).fitted().words["terms"] == ["can"]


def test_too_wide_for_the_corpus():
    with pytest.raises(InputError) as caught:
        fitted(width=100)
    assert str(caught.value) == (
        "extractor 'text_tfidf_svd': width must be at most 6 for 6 training texts with 11 terms (got 100); "
        "give width=6, or less"
    )
    with pytest.raises(InputError, match="finds no term in the training texts"):
        fitted(["...", "--"])


def test_a_million_characters(tmp_path):
    found = fitted(unit="characters", ngrams=(2, 4)).extract(["we can " * 150_000])
    assert np.isfinite(found).all()


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "fitted.safetensors"
    fitted().fitted().save(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"fitted.safetensors cannot be read: .*; extract the modality again"):
        Fitted.open(path)
