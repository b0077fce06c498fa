"""The objective: division by counts, weights per term, nothing scored."""

from types import SimpleNamespace

import pytest
import torch

from ercframe import Loss, Term
from ercframe.objective import Objective, mean, prefix_of


class Fixed(Loss):
    """Returns the terms it was given."""

    name = "fixed"
    terms = ("hard", "soft")

    def __init__(self, **terms: tuple[float, float]) -> None:
        super().__init__()
        self.found = {n: Term(torch.tensor(t, requires_grad=True), torch.tensor(c)) for n, (t, c) in terms.items()}

    def forward(self, output, batch):
        return self.found


def total(losses, weights) -> float:
    objective = Objective(losses, weights)
    return float(objective.total(objective(SimpleNamespace(), SimpleNamespace())).detach())


def test_each_term_is_divided_by_its_own_count_then_weighed():
    losses = {"task": Fixed(hard=(6.0, 2.0)), "extra": Fixed(soft=(10.0, 5.0))}
    assert total(losses, {"task": 1.0, "extra": 0.5}) == pytest.approx(3.0 + 0.5 * 2.0)


def test_a_weight_per_prefix_reaches_every_term_with_that_prefix():
    losses = {"distill": Fixed(hard_text=(2.0, 1.0), hard_audio=(3.0, 1.0), soft_text=(5.0, 1.0))}
    assert total(losses, {"distill": {"hard": 10.0, "soft": 0.0}}) == pytest.approx(50.0)


def test_a_prefix_without_a_weight_weighs_one():
    assert total({"d": Fixed(hard=(2.0, 1.0), soft=(5.0, 1.0))}, {"d": {"hard": 0.0}}) == pytest.approx(5.0)


def test_a_weight_that_names_no_term_is_refused():
    with pytest.raises(ValueError, match=r"weight names \['hrad'\]; terms of 'd': \['hard', 'soft'\]"):
        Objective({"d": Fixed()}, {"d": {"hrad": 1.0}})


class Nested(Fixed):
    """One declared name is the beginning of another."""

    name = "nested"
    terms = ("soft", "soft_focus")


@pytest.mark.parametrize(
    ("weights", "weight"), [({"soft": 2.0}, 1.0), ({"soft_focus": 3.0}, 3.0), ({"soft": 2.0, "soft_focus": 3.0}, 3.0)]
)
def test_a_term_belongs_to_the_longest_name_that_it_begins_with(weights, weight):
    objective = Objective({"d": Nested()}, {"d": weights})
    assert objective.weight("d.soft_focus_text") == weight


def test_a_prefix_is_a_whole_word():
    assert prefix_of("hard_text", ["hard"]) == "hard"
    assert prefix_of("hardly", ["hard"]) is None


def test_nothing_counted_gives_an_attached_zero():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    nothing = mean(Term(x[:0].sum(), torch.tensor(0.0)))
    nothing.backward()
    assert nothing.item() == 0.0
    assert torch.equal(x.grad, torch.zeros(2))
