"""The parts of a prediction: batches, tiles, features, files."""
