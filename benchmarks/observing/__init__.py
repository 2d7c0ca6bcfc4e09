"""What metrics and the prediction log cost."""
