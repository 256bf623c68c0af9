"""Trainable models and the networks that they are made of."""

from kerasad.models.cavga import CAVGA
from kerasad.models.feature_extractor import FeatureExtractor
from kerasad.models.feature_vae_gan import FeatureVAEGAN
from kerasad.models.vae_gan import VAEGAN
from kerasad.models.weakly_supervised_cavga import WeaklySupervisedCAVGA

__all__ = ["CAVGA", "VAEGAN", "FeatureExtractor", "FeatureVAEGAN", "WeaklySupervisedCAVGA"]
