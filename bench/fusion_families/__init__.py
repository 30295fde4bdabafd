"""Every family at a small size: as transformers has it, and as the one decoder has it."""
