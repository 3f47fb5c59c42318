"""Isolated, pinned environments in which converters and foreign runtimes run."""
