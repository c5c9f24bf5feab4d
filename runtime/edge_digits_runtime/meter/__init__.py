"""Read a meter or display whose digits are always at the same places: profile, alignment, slots, wheels."""
