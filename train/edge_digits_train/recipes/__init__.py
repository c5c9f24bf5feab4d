"""Recipes: what is trained and how, the registry of those with a name, and the layers of a network as plain data."""
