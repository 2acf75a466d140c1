"""`benchmark planted`: the method held against models whose blindspots are known.

A file a group of rows; PLANTED.md, "What it must show", says what each of them is for.
"""
