"""Pictures that show an answer on the picture that it was given for."""
