"""Layers that draw random numbers."""

import keras


class SeededLayer(keras.layers.Layer):
    """Base class of layers with a generator of random numbers, which a resumed training continues.

    Args:
        seed: int or None. Seed of the generator.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def save_own_variables(self, store):
        """Stores the weights, and the generator's state, which Keras leaves out of files."""
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state.numpy()

    def load_own_variables(self, store):
        """Restores the weights and the generator's state."""
        weights = {name: store[name] for name in list(store.keys())}
        self.seed_generator.state.assign(weights.pop("seed_state"))
        super().load_own_variables(weights)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "seed": self.seed}
