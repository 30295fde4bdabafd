"""Designs to learn from; the demo simulates and prints them."""

from zhufeng.hdl.examples.products import products
from zhufeng.hdl.examples.systolic import SystolicRun, skewed, sums_of, systolic

__all__ = ["SystolicRun", "products", "skewed", "sums_of", "systolic"]
