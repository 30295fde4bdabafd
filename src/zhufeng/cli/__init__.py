"""The command ``zhufeng``, a file a command."""

from zhufeng.cli._main import main

__all__ = ["main"]
