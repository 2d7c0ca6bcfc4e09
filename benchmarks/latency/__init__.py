"""Whole photos, RGB array to label map: every way to run nnU-Net, side by side."""
