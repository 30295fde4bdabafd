"""The stages that Zhufeng itself brings, a file each: a room's work joined to the recipe."""
