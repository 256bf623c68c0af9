"""Published methods to compare with, each in a file of its own."""

from kerasad.baselines.autoencoder_l2 import AutoencoderL2
from kerasad.baselines.autoencoder_ssim import AutoencoderSSIM
from kerasad.baselines.denoising_autoencoder import DenoisingAutoencoder
from kerasad.baselines.ganomaly import GANomaly
from kerasad.baselines.gaussian_mixture import GaussianMixture
from kerasad.baselines.student_teacher import StudentTeacher
from kerasad.baselines.vae import VAE

__all__ = [
    "VAE",
    "AutoencoderL2",
    "AutoencoderSSIM",
    "DenoisingAutoencoder",
    "GANomaly",
    "GaussianMixture",
    "StudentTeacher",
]
