"""The designs of bench/simulate.py, their stimulus and checksum, and all that runs them.

- `catalogue.design`: each design, ours and hand-written (`verilog/`), with its stimulus.
- `stimulus`: generators and checksum, in NumPy and in our language; in C++ in `driver`.
- `ours`: our simulator. `verilator_rival`: Verilator at its best. `others`: what else there is.
- `contest`: both in turns, compared. `rows`, `figure`: what is told of it.
- `edit`: from an edit to a verified array.
- `program`: the CPU's program and its assembler.
"""
