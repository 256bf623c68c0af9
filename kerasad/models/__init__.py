"""Trainable models and the networks that they are made of."""

from kerasad.models.vae_gan import VAEGAN

__all__ = ["VAEGAN"]
