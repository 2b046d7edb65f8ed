"""Evaluation: a bundle judged as one on rows it was not fitted on."""
