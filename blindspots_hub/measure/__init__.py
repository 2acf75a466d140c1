"""Concept energies, the two δ, and how sure they are."""
