"""What goes wrong with one shot."""

from __future__ import annotations


class NoCaptionError(Exception):
    """No caption for this shot; the text is a short reason."""
