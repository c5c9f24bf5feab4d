"""Changes to training pictures, and pictures made for training: augmentation, written forms, corruption, outliers."""
