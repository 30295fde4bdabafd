"""Errors of zhufeng.fusion: small."""
