"""A dataset as described: from a YAML, a folder or a name to paths, names and splits."""
