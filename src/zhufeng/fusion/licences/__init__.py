"""Licences of models: read off their folders, and what they say of weights made from several."""

from zhufeng.fusion.licences._licence import Licence, joined, read_licence

__all__ = ["Licence", "joined", "read_licence"]
