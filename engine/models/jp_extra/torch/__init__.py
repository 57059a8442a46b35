"""PyTorch back end of JP-Extra voices, for CUDA and for export."""
