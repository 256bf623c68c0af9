"""The terms of the training objective, one small file a topic."""
