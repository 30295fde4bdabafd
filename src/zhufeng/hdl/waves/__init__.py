"""What the signals of a run did, cycle by cycle: as a VCD or FST file, or drawn.

>>> run = interpret(module, inputs, reset=reset, record=signals(module))
>>> waves = waves_of(module, inputs, run, reset=reset)
>>> write_vcd(Path("wave.vcd"), waves)
"""

from zhufeng.hdl.waves._drawing import draw_waves
from zhufeng.hdl.waves._fst import write_fst
from zhufeng.hdl.waves._vcd import write_vcd
from zhufeng.hdl.waves._waves import Wave, Waves, signals, waves_of

__all__ = ["Wave", "Waves", "draw_waves", "signals", "waves_of", "write_fst", "write_vcd"]
