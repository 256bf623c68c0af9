"""A model of the search space, its training and its objective, for KerasTuner."""

import dataclasses
import gc
import math

import keras
import keras_tuner

from kerasad.data.category import Category
from kerasad.errors import InputError, TrainingDivergedError
from kerasad.training.building import build_model, choose_epochs, compile_model
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.fitting import train_data
from kerasad.training.recipes import find_recipe
from kerasad.tuning.objective import OBJECTIVE, synthetic_localization
from kerasad.tuning.space import choose


class DetectorHyperModel(keras_tuner.HyperModel):
    """Trains a model of the search space on good images and evaluates its detector.

    Works with every tuner of KerasTuner; give it `objective=kerasad.tuning.OBJECTIVE`. All trials
    have the same split, seed, order of images and synthetic defects. Test images are not used.

    Args:
        data: Category.
        model: ModelConfig. Arguments that it names are kept, the rest of the space is searched.
        training: TrainingConfig. Number of epochs, seed and default learning rates.
        overlap: int. Pixels by which tiles overlap, where the data has crops.
        crosswise: bool. Whether the best configuration will be calibrated crosswise, see
            `synthetic_localization`. `data` sets validation images apart all the same.
        **kwargs: as in `keras_tuner.HyperModel`.

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
        crosswise: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.data = data
        self.model = model or ModelConfig()
        self.recipe = find_recipe(self.model.name)
        if self.recipe.steps == 0:
            raise InputError(
                f"{self.model.name} trains no network, so there is nothing to search: choose "
                "another --model."
            )
        training = training or TrainingConfig()
        self.training = dataclasses.replace(
            training, epochs=choose_epochs(self.model, training, data)
        )
        self.overlap = overlap
        self.crosswise = crosswise

    def configuration(self, hp: keras_tuner.HyperParameters) -> tuple[ModelConfig, TrainingConfig]:
        """Returns the configuration of a trial, ready for a `RunConfig`."""
        model, training = choose(hp.copy(), self.model, self.training)
        # A trial of Hyperband may be shorter; its configuration repeats what was evaluated.
        return model, dataclasses.replace(training, epochs=self._last_epoch(hp))

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Registers the whole search space."""
        choose(hp, self.model, self.training)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns a compiled model.

        Raises:
            InputError: The value of a fixed argument is invalid.
        """
        keras.backend.clear_session()  # the model of the previous trial
        gc.collect()
        model_config, training = choose(hp, self.model, self.training)
        model = build_model(model_config, self.data.image_shape, training.seed)
        # Also in a short trial of Hyperband, the rate decays over the epochs of its configuration.
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
            epochs: int or None. The last epoch, as in `keras.Model.fit`. None is that of the
                configuration.
            initial_epoch: int. The epoch to start with.
            verbose: as in `keras.Model.fit`.

        Returns:
            dict with `synthetic_localization`.

        Raises:
            keras_tuner.errors.FailedTrialError: The training diverged.
            InputError: An image can no longer be read.
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
                    experts=self.recipe.make_experts,
                    image_size=self.data.full_shape[:2],
                    overlap=self.overlap,
                    keep_aspect=self.data.keep_aspect,
                    roi=self.data.roi,
                    on_crops=self.data.split.calibration_on_crops,
                    crosswise=self.crosswise,
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
