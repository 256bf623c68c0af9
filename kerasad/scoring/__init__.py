"""From a trained model to a calibrated map, score and decision."""
