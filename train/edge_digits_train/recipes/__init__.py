"""What can be trained: recipes, the registry of them, and the layers of a network as plain data."""
