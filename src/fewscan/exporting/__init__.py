"""A run as files that others can use without it: ONNX or weights, with a model card, proved on scans."""
