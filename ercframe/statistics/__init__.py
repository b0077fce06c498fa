"""Statistics over dialogues and seeds, on NumPy arrays: intervals, tests, corrections."""
