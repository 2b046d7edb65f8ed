"""Synthetic card payments: a seeded generator, and a whole project around it for `tandem init payments`."""

from engine.samples.payments.generate import LABELS, compromised_terminals, generate, unlabelled
from engine.samples.payments.write import write_project

__all__ = ["LABELS", "compromised_terminals", "generate", "unlabelled", "write_project"]
