"""Errors of zhufeng.fusion: experts."""
