"""From an edit to a verified array: a line of the 16 x 16 systolic array changes.

- `verify.py`, `verify.cpp`: what verifies it, here and with Verilator: the same vectors, the same
  check.
- `times`: edits, runs both and counts.
"""
