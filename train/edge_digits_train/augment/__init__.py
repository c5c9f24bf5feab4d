"""How training pictures are varied: augmentation, written forms, corruption, outliers."""
