"""The formats, one file each: its converter and its runtime."""
