"""Samples: projects that `tandem init` writes."""
