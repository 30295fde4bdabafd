"""Errors of zhufeng.fusion: ledger."""
