"""The review desk: a case opened for a person, a verdict given on it, and what follows from it."""
