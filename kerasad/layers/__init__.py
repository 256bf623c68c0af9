"""Layers of the networks: sampling, AdaCos, gradient attention."""
