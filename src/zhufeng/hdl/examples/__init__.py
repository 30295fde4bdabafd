"""Designs to learn from; the demo simulates and prints them."""

from zhufeng.hdl.examples.systolic import SystolicRun, skewed, sums_of, systolic

__all__ = ["SystolicRun", "skewed", "sums_of", "systolic"]
