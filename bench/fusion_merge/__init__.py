"""Merging on a few cores: ours, mergekit's, and what the files alone cost."""
