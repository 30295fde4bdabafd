"""The designs of bench/simulate.py, their stimulus and checksum, and Verilator at its best.

- `catalogue.design`: each design, ours and hand-written (`verilog/`), with its stimulus.
- `stimulus`: generators and checksum, in NumPy and in our language; in C++ in `driver`.
- `verilator_rival`: builds and times.
- `program`: the CPU's program and its assembler.
"""
