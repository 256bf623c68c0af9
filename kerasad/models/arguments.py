"""Checks of the arguments of a VAE-GAN."""

from kerasad.errors import InputError, check_at_least, check_choice, check_whole
from kerasad.layers.adacos import SCALE_MODES

# The discriminator's quarter resolution and the window of the structural similarity need it.
SMALLEST_SIDE = 8
LOWEST_WHOLE_NUMBERS = {
    "latent_dim": 1,
    "filters": 1,
    "depth": 2,
    "num_sub_centers": 1,
    "num_clusters": 2,
    "embedding_dim": 1,
    "kl_warmup_steps": 0,
}
LOWEST_NUMBERS = {
    "reconstruction_weight": 0,
    "kl_weight": 0,
    "adversarial_weight": 0,
    "adacos_weight": 0,
    "ssim_weight": 0,
    "corruption": 0,
}


def check_arguments(model) -> None:
    """Raises an `InputError` that names the first invalid argument of a `VAEGAN`.

    Types are checked too, because a file of settings may hold anything.

    Args:
        model: object that holds every argument under its own name, `depth` resolved.
    """
    check_choice("latent", model.latent, ("conv", "dense"))
    check_choice("adacos", model.adacos, model.adacos_choices)
    check_choice("adacos_scale", model.adacos_scale, SCALE_MODES)
    for name, lowest in LOWEST_WHOLE_NUMBERS.items():
        check_whole(name, getattr(model, name), lowest)
    for name, lowest in LOWEST_NUMBERS.items():
        check_at_least(name, getattr(model, name), lowest)
    if model.corruption > 1:
        raise InputError(f"`corruption` must be at most 1. Received: {model.corruption!r}")
    if model.adacos == "pretext" and model.corruption == 0:
        raise InputError(
            'adacos="pretext" learns from synthetic defects, but `corruption` is 0; raise it or '
            "choose another mode."
        )
    if model.attention_layer is not None:
        check_whole("attention_layer", model.attention_layer, 1)
        if model.attention_layer > model.depth:
            raise InputError(
                f"`attention_layer` must be in 1..{model.depth}, the halvings of the encoder. "
                f"Received: {model.attention_layer}"
            )
    if model.seed is not None:
        check_whole("seed", model.seed, 0)
