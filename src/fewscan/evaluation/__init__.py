"""From a run to probabilities, scores and intervals."""
