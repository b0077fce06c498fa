"""A frozen network: used, moved with its owner, never trained and never saved."""

import torch
from torch import nn

from ercframe.nn import Frozen


class Owner(nn.Module):
    """A trained layer beside a frozen one."""

    def __init__(self):
        super().__init__()
        self.own = nn.Linear(2, 2)
        self.teacher = Frozen(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))


def test_its_owner_neither_saves_nor_trains_it():
    owner = Owner()
    assert set(owner.state_dict()) == {"own.weight", "own.bias"}
    assert [name for name, _ in owner.named_parameters()] == ["own.weight", "own.bias"]
    assert not any(p.requires_grad for p in owner.teacher.module.parameters())


def test_it_stays_in_eval_mode_whatever_its_owner_does():
    owner = Owner().train()
    assert owner.own.training
    assert not owner.teacher.module.training
    x_ND = torch.randn(4, 2)
    assert torch.equal(owner.teacher(x_ND), owner.teacher(x_ND))


def test_it_moves_with_its_owner():
    owner = Owner().double()
    assert owner.teacher(torch.randn(1, 2, dtype=torch.float64)).dtype == torch.float64
    assert next(Owner().to("meta").teacher.module.parameters()).device.type == "meta"


def test_gradients_reach_what_goes_in_but_not_the_network():
    owner = Owner()
    x_ND = torch.randn(3, 2, requires_grad=True)
    owner.teacher(x_ND).sum().backward()
    assert x_ND.grad is not None
    assert all(p.grad is None for p in owner.teacher.module.parameters())


def test_a_saved_owner_loads_into_one_with_a_rebuilt_network():
    Owner().load_state_dict(Owner().state_dict(), strict=True)
