"""The tiles of bench/formats.py, and all that computes them.

- `draw`, `recorded`: tiles drawn at random, and tiles of a training step. `ways`: how they are
  quantised.
- `opinions`: what the golden model and the compiled functions say. `units`: modules around the
  functions of the contract, and what whoever plays them says: `played`, Verilator or the
  interpreter.
- `campaign`: all of it for all tiles, in two processes. `speed`: how fast the functions are.
"""
