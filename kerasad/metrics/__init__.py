"""Keras metrics for anomaly maps and scores, in constant memory."""
