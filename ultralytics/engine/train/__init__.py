"""The parts of a training: setup, optimizer, schedule, state."""
