"""From a picture of numbers to lines of text: pieces of ink, rows, digits that touch."""
