"""The training, validation and prediction engine. Nothing here names a task."""
