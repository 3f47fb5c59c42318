"""From files to batches: dataset descriptions, reading, augmentation, loading, and sources for prediction."""
