"""Errors of zhufeng.fusion: distil."""
