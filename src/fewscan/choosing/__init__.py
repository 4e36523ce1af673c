"""Which scans to label next, and why: pure functions on features, groups, labels and probabilities."""
