"""The one training loop, its batches, its checkpoints and the run folder."""
