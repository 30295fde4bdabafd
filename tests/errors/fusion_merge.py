"""Errors of zhufeng.fusion: merge."""
