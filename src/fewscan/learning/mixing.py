"""What methods that learn from guesses share: guesses are sharpened, neighbors vote, and images are mixed in pairs."""

import torch
from torch import Tensor


def sharpened(shares: Tensor, temperature: float) -> Tensor:
    """Return shares (N, K), each to the power 1 / temperature, summing to 1 again; a temperature of 1 leaves them.

    Source: Berthelot et al. 2019, "MixMatch: a holistic approach to semi-supervised learning", equation 7.
    """
    # Of the largest share, so that the powers of small ones may vanish, and never all of them.
    powers = (shares / shares.amax(dim=1, keepdim=True)) ** (1 / temperature)
    return powers / powers.sum(dim=1, keepdim=True)


def votes(similarity: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Return what neighbors say, (N, K), nearer ones weighing more.

    similarity: (N, M) of each neighbor, -inf for none. targets: (N, M, K), shares of theirs. temperature: of the softmax.
    """
    # Multiplied, so that what is no neighbor stays one at any temperature.
    weights = (similarity * (1 / temperature)).softmax(dim=1)
    return (weights.unsqueeze(2) * targets).sum(dim=1)


def mixing_weights(alpha: float, images: int, device: torch.device) -> Tensor:
    """Draw how much of each of so many images stays where another is mixed in: (B,) in [0.5, 1], from Beta(alpha, alpha).

    At least half of an image is itself, so that a labeled one stays one.
    """
    share = torch.full((), alpha, device=device)
    # Unchecked: to check alpha is to wait for the GPU.
    drawn = torch.distributions.Beta(share, share, validate_args=False).sample((images,))
    return torch.maximum(drawn, 1 - drawn)


def mixed(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    """Return first and second (B, ...) mixed; weights: (B,), how much of the first stays, or (1,) for all."""
    return torch.lerp(second, first, weights.view(-1, *(1,) * (first.dim() - 1)))
