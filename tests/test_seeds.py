"""Named streams: no two names of one seed draw the same numbers, and streams that had no names draw what they drew."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import fewscan
from fewscan.seeds import FORMER, Stream, stream

# How many numbers stand behind a seed, where any do.
NUMBERS = {
    "batches": 1,
    "label bearers": 1,
    "epoch": 1,
    "views": 2,
    "weak views": 2,
    "practice head": 1,
}
TORCH = {"first weights", "epoch", "views", "weak views", "untrained weights", "two-view views"}
NEW = {"run": ("two-view images", "two-view views")}


def streams(name: str) -> list[Stream]:
    # A run's epochs and steps begin at 1, the heads of practice scans at 0.
    first = 0 if name == "practice head" else 1
    return [
        stream(seed, name, *numbers) for seed in range(3) for numbers in product(range(first, 6), repeat=NUMBERS.get(name, 0))
    ]


def drawn(each: Stream) -> tuple[str, int]:
    """What is drawn first, by the generator that draws it."""
    if each.name in TORCH:
        return "torch", each.number
    return "numpy", int(each.numpy().integers(2**62))


@pytest.mark.parametrize("whose", FORMER)
def test_no_two_streams_of_one_seed_draw_the_same(whose: str) -> None:
    every = [each for name in (*FORMER[whose], *NEW.get(whose, ())) for each in streams(name)]
    assert len({drawn(each) for each in every}) == len(every)


def test_names_stand_for_one_stream_each() -> None:
    names = [name for names in FORMER.values() for name in names]
    assert len(set(names)) == len(names)


def test_two_of_the_former_keys_were_one() -> None:
    def number(*key: int) -> int:
        return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)

    # The images on which c_acc is taken once a training on one view is over, and the last epoch's batches.
    assert stream(3, "batches", 7).numpy().random() == np.random.default_rng((3, 7)).random()
    assert stream(3, "two-view images").numpy().random() != np.random.default_rng((3, 7)).random()
    # Their views, and what the last epoch drew by itself: to NumPy a zero at the end of a key is nothing.
    assert number(3, 7, 0) == number(3, 7) == stream(3, "epoch", 7).number
    assert stream(3, "two-view views").number != number(3, 7, 0)
    # The first head of practice scans, and their order.
    assert np.random.default_rng([3, 0]).random() == np.random.default_rng(3).random()
    assert stream(3, "practice head", 0).numpy().random() != np.random.default_rng(3).random()


def test_every_other_stream_draws_what_it_drew_before_it_had_a_name() -> None:
    def number(*key: int) -> int:
        return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)

    former = {
        stream(5, "batches", 2): (5, 2),
        stream(5, "label bearers", 2): (5, 2, 1),
        stream(5, "practice head", 4): (5, 4),
        **{
            stream(5, name): (5,)
            for name in (
                *("probe", "split", "practice order", "description", "reference images", "bootstrap", "permutations"),
                *("one a group", "surety images", "hiding", "proof scans", "page samples", "figure samples"),
            )
        },
    }
    for each, key in former.items():
        assert each.numpy().random() == np.random.default_rng(key).random(), each.name
    assert stream(5, "first weights").number == stream(5, "untrained weights").number == 5
    assert stream(5, "epoch", 2).number == number(5, 2)
    assert stream(5, "views", 2, 9).number == number(5, 2, 9)
    assert stream(5, "weak views", 2, 9).number == number(5, 2, 9, 1)
    covered = {each.name for each in former} | {"first weights", "untrained weights", "epoch", "views", "weak views"}
    assert covered == {name for names in FORMER.values() for name in names}


def test_known_answers() -> None:
    assert stream(0, "batches", 1).numpy().permutation(8).tolist() == [1, 3, 7, 6, 0, 4, 2, 5]
    assert stream(0, "split").numpy().permutation(8).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]
    assert stream(0, "views", 1, 1).number == 1554199118406742183
    assert stream(0, "a name of its own", 1).number == 6881683797828049690


def test_all_that_is_random_comes_from_a_named_stream() -> None:
    root = Path(fewscan.__file__).parent
    bare = re.compile(
        r"default_rng\(|RandomState\(|SeedSequence\(|manual_seed\((?!stream\(|drawn_from\.)|np\.random\.[a-z]+\(|random\.seed\("
    )
    found = {
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        if path.name != "seeds.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if bare.search(line)
    }
    assert found == set()


def test_torch_draws_from_a_stream_what_it_draws_from_its_number() -> None:
    stream(3, "epoch", 2).seed_torch()
    drawn_from_stream = torch.rand(4)
    torch.manual_seed(stream(3, "epoch", 2).number)
    assert torch.equal(torch.rand(4), drawn_from_stream)


def test_what_torch_draws_from_a_stream_is_the_same_whether_there_is_a_gpu_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for there in (True, False):
        monkeypatch.setattr(torch.accelerator, "is_available", lambda there=there: there)
        stream(3, "views").seed_torch()
        drawn.append(torch.rand(4))
    assert torch.equal(*drawn)
