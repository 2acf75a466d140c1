"""Names for concepts: who is asked, what is asked, and whether a name predicts the concept."""
