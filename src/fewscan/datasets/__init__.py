"""The dataset folder, and what is written beside its pixels."""
