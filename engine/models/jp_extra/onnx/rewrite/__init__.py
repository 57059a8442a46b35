"""Rewriting of published and exported ONNX graphs into seedable, faster parts."""
