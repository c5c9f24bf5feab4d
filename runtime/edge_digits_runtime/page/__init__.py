"""From a picture of numbers to lines of text: glyphs, rows, digits that touch."""
