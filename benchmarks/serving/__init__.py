"""Services under load: ours, and what teams write by hand."""
