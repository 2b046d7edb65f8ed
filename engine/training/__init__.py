"""Fitting: from a project and a labelled table to a bundle."""
