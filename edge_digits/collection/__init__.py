"""Pictures that were unsure or corrected, kept to be labelled and trained on."""
