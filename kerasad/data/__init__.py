"""Images in: who is where, safe decoding, tf.data pipelines, synthetic defects."""
