"""Nested state without pickle: what comes back is what was given."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ercframe.snapshots import Snapshots
from ercframe.tensor_tree import pack, unpack

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5)
keys = st.text(max_size=3) | st.integers(0, 9)
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=3),
)


@given(trees)
def test_plain_values_survive(tree):
    assert unpack(pack(tree, {}), {}) == tree


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.SGD])
def test_an_optimizer_survives_being_saved(tmp_path, make):
    layer = torch.nn.Linear(3, 2)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer = make(layer.parameters(), lr=0.1)
    optimizer.step()
    snapshots = Snapshots(tmp_path / "s")
    snapshots.save({"optimizer": optimizer.state_dict(), "nothing": {}})
    found = snapshots.load(pytest.fail)
    assert found["nothing"] == {}
    torch.testing.assert_close(found["optimizer"], optimizer.state_dict(), rtol=0, atol=0)


def test_keys_with_the_same_path_keep_their_tensors_apart():
    tree = {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}, 1: torch.full((1,), 2.0), "1": torch.full((1,), 3.0)}
    tensors = {}
    torch.testing.assert_close(unpack(pack(tree, tensors), tensors), tree, rtol=0, atol=0)


def test_what_cannot_be_saved_is_named():
    with pytest.raises(TypeError, match=r"/a/0 must be made of .* \(got <class 'set'>\)"):
        pack({"a": [{1, 2}]}, {})


def test_two_states_are_kept_and_a_failing_save_leaves_them_alone(tmp_path):
    snapshots = Snapshots(tmp_path / "s")
    for i in range(4):
        snapshots.save({"x": torch.tensor(i)})
    with pytest.raises(TypeError):
        snapshots.save({"x": torch.tensor(4), "bad": set()})
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["3", "4"]
    assert snapshots.load(pytest.fail)["x"] == 3
    snapshots.remove()
    assert snapshots.load(pytest.fail) is None
