"""Embeddings: the neural layer, from fields to a vector."""
