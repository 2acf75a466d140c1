"""Captioned images drawn from tables of captions and addresses, by seed and resumably."""
