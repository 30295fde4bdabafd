"""Errors of zhufeng.fusion: unify."""
