"""From a trained nnU-Net folder to a bundle that is proven to give the same label maps."""
