"""Encoders and heads: images to features, projections and logits."""
