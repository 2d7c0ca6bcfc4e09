"""Our own convolutions for CPUs: Winograd's, with norms and activations fused into them."""
