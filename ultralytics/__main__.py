"""`python -m ultralytics` is the `yolo` command."""

from ultralytics.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
