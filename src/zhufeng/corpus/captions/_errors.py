"""What goes wrong with one shot."""

from __future__ import annotations


class NoCaptionError(Exception):
    """No caption for this shot; the text is a short reason."""


class NoAnswerError(NoCaptionError):
    """The endpoint was busy or out of reach, which may have passed by another time."""
