"""Pictures that explain an answer."""
