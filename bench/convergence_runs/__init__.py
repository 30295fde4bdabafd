"""Trainings in number formats: which, how they are run, kept and compared."""
