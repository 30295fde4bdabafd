"""Errors of zhufeng.fusion: mix."""
