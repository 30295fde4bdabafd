"""Several models become one: by one architecture, merging, answering together, teaching."""
