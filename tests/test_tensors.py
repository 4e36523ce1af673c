"""What is written is what safetensors reads, and what it writes itself."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

from fewscan.tensors import safetensors_of

METADATA = {"epoch": "3", "classes": 'größer "als" \n'}
TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]
TYPES += [torch.uint8, torch.bool]


def tensors_of_every_kind() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    # Odd numbers of narrow ones, which would put wide ones that follow out of line.
    made = {f"{type_}": (9 * torch.rand(3, 1)).to(type_) for type_ in TYPES}
    made |= {"a number": torch.tensor(7), "none": torch.empty(0, 4), "ö/1": torch.ones(1)}
    return made | {"one of a slice": torch.arange(12.0)[3:6]}


def test_every_type_and_shape_is_read_as_it_was(tmp_path: Path) -> None:
    tensors = tensors_of_every_kind()
    (tmp_path / "file").write_bytes(safetensors_of(tensors, METADATA))
    with safe_open(tmp_path / "file", framework="pt") as file:
        assert file.metadata() == METADATA
        assert set(file.keys()) == set(tensors)
        for name, expected in tensors.items():
            found = file.get_tensor(name)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert torch.equal(found, expected)


def test_it_reads_as_what_safetensors_writes() -> None:
    tensors = tensors_of_every_kind()
    ours, theirs = load(safetensors_of(tensors)), load(save(tensors))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], value) and ours[name].dtype == value.dtype for name, value in theirs.items())
    assert len(safetensors_of({})) == len(save({}))


def test_what_lies_in_another_order_is_put_in_order_and_gradients_do_not_matter() -> None:
    turned = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    assert not turned.is_contiguous()
    assert torch.equal(load(safetensors_of({"turned": turned}))["turned"], turned)


def test_two_names_of_one_tensor_are_two_tensors() -> None:
    one = torch.rand(3)
    read = load(safetensors_of({"a": one, "b": one[:2]}))
    assert torch.equal(read["a"], one)
    assert torch.equal(read["b"], one[:2])


def test_a_type_that_no_file_of_fewscan_has_is_an_error() -> None:
    with pytest.raises(KeyError):
        safetensors_of({"complex": torch.zeros(2, dtype=torch.complex64)})
