from collections.abc import Callable, Iterator

import pytest
import torch


@pytest.fixture
def torch_threads() -> Iterator[Callable[[int], None]]:
    """A function that gives PyTorch so many threads; afterwards it has its own again."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
