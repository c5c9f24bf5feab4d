"""Made pictures of lines of numbers with their texts: what the line readers learn from."""
