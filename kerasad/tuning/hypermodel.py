"""A model and its training as KerasTuner searches them."""

import dataclasses
import math

import keras
import keras_tuner

from kerasad.data.category import Category
from kerasad.errors import InputError, TrainingDivergedError
from kerasad.training.building import build_model, choose_epochs, compile_model
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.fitting import train_data
from kerasad.tuning.objective import OBJECTIVE, synthetic_localization
from kerasad.tuning.space import choose


class DetectorHyperModel(keras_tuner.HyperModel):
    """Trains a model of the search space on good images, and judges the detector made of it.

    Works with every tuner of KerasTuner; give it `objective=kerasad.tuning.OBJECTIVE`. All trials
    have the same split, seed, order of images and synthetic defects. Test images are not touched.

    Args:
        data: Category.
        model: ModelConfig. Arguments that it names are kept, the rest of the space is searched.
        training: TrainingConfig. Its epochs, seed, and learning rates to start with.
        overlap: int. Pixels that tiles share, where the data has crops.
        **kwargs: as of `keras_tuner.HyperModel`.

    Example:
    >>> hypermodel = DetectorHyperModel(data, training=TrainingConfig(epochs=20))
    >>> tuner = keras_tuner.RandomSearch(hypermodel, objective=OBJECTIVE, max_trials=10)
    >>> tuner.search()
    """

    def __init__(
        self,
        data: Category,
        model: ModelConfig | None = None,
        training: TrainingConfig | None = None,
        overlap: int = 32,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.data = data
        self.model = model or ModelConfig()
        training = training or TrainingConfig()
        epochs = choose_epochs(self.model, training, data)
        if epochs is None:
            raise InputError(
                f"{self.model.name} trains no network, so there is nothing to search: name "
                "another --model."
            )
        self.training = dataclasses.replace(training, epochs=epochs)
        self.overlap = overlap

    def configuration(self, hp: keras_tuner.HyperParameters) -> tuple[ModelConfig, TrainingConfig]:
        """Returns what `hp` stands for, ready for a `RunConfig`."""
        model, training = choose(hp.copy(), self.model, self.training)
        # Hyperband's trials are shorter; what was judged is what is to be repeated.
        return model, dataclasses.replace(training, epochs=self._last_epoch(hp))

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Registers the whole search space."""
        choose(hp, self.model, self.training)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns a compiled model.

        Raises:
            InputError: A fixed argument is of no use.
        """
        model_config, training = choose(hp, self.model, self.training)
        model = build_model(model_config, self.data.image_shape, training.seed)
        # Of Hyperband's short trials too, the rate falls over the epochs that are written down.
        compile_model(model, training, self._last_epoch(hp) * self.data.steps_per_epoch)
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *,
        callbacks=(),
        epochs: int | None = None,
        initial_epoch: int = 0,
        verbose: int | str = 0,
    ) -> dict[str, float]:
        """Trains a model; returns the objective.

        Args:
            hp: HyperParameters.
            model: compiled model.
            callbacks: list of Keras callbacks.
            epochs: int or None. The epoch to end with, as of `keras.Model.fit`; None is that of
                the configuration.
            initial_epoch: int. The epoch to begin with.
            verbose: as of `keras.Model.fit`.

        Returns:
            dict of `synthetic_localization`.

        Raises:
            keras_tuner.errors.FailedTrialError: The training diverged.
            InputError: A file broke meanwhile.
        """
        seed = self.training.seed
        keras.utils.set_random_seed(seed)
        try:
            with self.data.name_bad_files():
                model.fit(
                    train_data(model, self.data, initial_epoch),
                    epochs=epochs or self._last_epoch(hp),
                    initial_epoch=initial_epoch,
                    callbacks=list(callbacks),
                    shuffle=False,  # the dataset does it
                    verbose=verbose,
                )
                value = synthetic_localization(
                    model,
                    self.data.train_for_experts,
                    self.data.validation,
                    image_size=self.data.full_shape[:2],
                    overlap=self.overlap,
                    keep_aspect=self.data.keep_aspect,
                    on_crops=self.data.split.calibration_on_crops,
                    num_defects=self.training.synthetic_defects,
                    seed=seed,
                )
        except TrainingDivergedError as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        if not math.isfinite(value):
            raise keras_tuner.errors.FailedTrialError(
                f"`{OBJECTIVE.name}` is {value}: the maps of the trained model are not finite."
            )
        return {OBJECTIVE.name: value}

    def _last_epoch(self, hp):
        return int(hp.values.get("tuner/epochs", self.training.epochs))
