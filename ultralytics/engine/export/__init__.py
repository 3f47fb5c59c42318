"""The parts of an export: proof, int8 autopilot, delivery."""
