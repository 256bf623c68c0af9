"""A local page to look at new pictures with a detector."""
