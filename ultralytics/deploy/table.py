"""The formats, a row each."""

from ultralytics.deploy.format import Format

FORMATS = (Format(name="pytorch", title="PyTorch", suffix=".pt", packages=("torch",), convertible=True),)
