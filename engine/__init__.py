"""Tandem: a decision is scores passed through rules, under one digest."""
