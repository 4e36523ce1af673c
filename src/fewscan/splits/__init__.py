"""Which images are labeled, validate, stay unlabeled and test."""
