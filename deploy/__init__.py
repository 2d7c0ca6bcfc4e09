"""Shipping: containers, Cloud Run, capacity."""
