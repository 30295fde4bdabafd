"""Zhufeng: AI model training and chip design on one track.

The rooms are the sub-packages; import what you need from them
(``from zhufeng.records import Document``). Importing ``zhufeng`` alone loads nothing.
"""

__version__ = "0.1.0"
