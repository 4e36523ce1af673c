"""Files of weights: which are read, what is said of one that does not fit, and that none of them runs code."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fewscan.errors import FewscanError
from fewscan.models.encoder import Encoder
from fewscan.models.encoders import ENCODERS, build_encoder, encoder_settings
from fewscan.models.weights import load_weights, read_weights, weights_identity


def small(channels: int = 1, width: int = 16, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return build_encoder(encoder_settings(width=width), channels, 16).eval()


def loaded(path: Path, channels: int = 1) -> Encoder:
    encoder = small(channels, seed=9)
    load_weights(encoder, read_weights(path))
    return encoder


@pytest.mark.slow
def test_an_encoder_computes_what_the_one_did_whose_weights_it_is_given(tmp_path: Path) -> None:
    taught = small()
    images = torch.rand(2, 1, 16, 16)
    plain, whole = tmp_path / "plain.safetensors", tmp_path / "whole.safetensors"
    save_file(taught.state_dict(), plain)
    of_encoder = {f"encoder.{name}": value for name, value in taught.state_dict().items()}
    save_file(of_encoder | {"classifier.0.weight": torch.zeros(4, 256)}, whole)
    torch.save(taught.state_dict(), tmp_path / "plain.pth")
    torch.save({"state_dict": taught.state_dict(), "epoch": 3}, tmp_path / "training.pt")
    for path in (plain, whole, tmp_path / "plain.pth", tmp_path / "training.pt"):
        assert torch.equal(loaded(path)(images), taught(images))
        assert weights_identity(loaded(path)) == weights_identity(taught) != weights_identity(small(seed=9))


def test_weights_of_colors_see_a_gray_scan_as_gray(tmp_path: Path) -> None:
    taught = small(channels=3)
    save_file(taught.state_dict(), tmp_path / "colors.safetensors")
    images = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(loaded(tmp_path / "colors.safetensors")(images), taught(images.expand(-1, 3, -1, -1)))


def test_what_does_not_fit_is_named_tensor_by_tensor(tmp_path: Path) -> None:
    tensors = small().state_dict()
    others = dict(tensors)
    others["stem.9.weight"] = others.pop("stem.0.weight")
    save_file(others, tmp_path / "renamed.safetensors")
    with pytest.raises(FewscanError, match=r"missing: stem\.0\.weight; unexpected: stem\.9\.weight$"):
        loaded(tmp_path / "renamed.safetensors")
    save_file(small(width=32).state_dict(), tmp_path / "wide.safetensors")
    with pytest.raises(FewscanError, match=r"wide.*small': shapes: stem\.0\.weight \(32, .*\) instead of .* and \d+ more$"):
        loaded(tmp_path / "wide.safetensors")
    save_file(tensors | {"stem.0.weight": tensors["stem.0.weight"] * float("nan")}, tmp_path / "nan.safetensors")
    with pytest.raises(FewscanError, match="not numbers"):
        loaded(tmp_path / "nan.safetensors")
    # Gray weights know no colors.
    save_file(tensors, tmp_path / "gray.safetensors")
    with pytest.raises(FewscanError, match=r"shapes: stem\.0\.weight"):
        loaded(tmp_path / "gray.safetensors", channels=3)


class _Command:
    """What runs a command where it is unpickled by the rules."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_no_file_runs_code_and_what_holds_more_than_weights_is_refused(tmp_path: Path) -> None:
    harmful = tmp_path / "harmful.pth"
    torch.save({"weight": _Command(f"touch {tmp_path / 'ran'}")}, harmful)
    with pytest.raises(FewscanError, match=r"contains more than weights.*save_file"):
        read_weights(harmful)
    assert not (tmp_path / "ran").exists()
    # It would have run: otherwise the test shows nothing.
    torch.load(harmful, weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth", "words.txt", "missing.safetensors"])
def test_what_is_no_file_of_weights_is_said_in_a_line(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"\x80\x02words")
    with pytest.raises(FewscanError, match=name.replace(".", r"\.")) as said:
        read_weights(tmp_path / name)
    assert "\n" not in str(said.value)


def test_every_known_weights_say_their_license_and_whether_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [each for encoder in ENCODERS.values() for each in encoder.known_weights]
    assert {each.name for each in known} == {"imagenet", "timm"}
    for there in (True, False):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, there=there: object() if there else None)
        for each in known:
            assert each.installed is there
            assert each.license in str(each)
            assert (f"fewscan[{each.extra}]" in str(each)) is not there
