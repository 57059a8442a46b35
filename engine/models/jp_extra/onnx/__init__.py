"""ONNX Runtime back end of JP-Extra voices, for CPUs without torch."""
