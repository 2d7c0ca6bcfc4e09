"""Measurements whose results are what the harness wrote."""
