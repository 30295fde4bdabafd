"""Designs of the user's and of ours: found by name, counted, tried, shown on the page."""

from zhufeng.hdl.designs._census import Part, census
from zhufeng.hdl.designs._load import load_design
from zhufeng.hdl.designs._section import design_section
from zhufeng.hdl.designs._systolic import systolic_trial
from zhufeng.hdl.designs._trial import Trial, Verdict, random_trial

__all__ = [
    "Part",
    "Trial",
    "Verdict",
    "census",
    "design_section",
    "load_design",
    "random_trial",
    "systolic_trial",
]
