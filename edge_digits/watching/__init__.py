"""Watch a meter: pictures from a camera or a folder, readings that are believed, and where they go."""
