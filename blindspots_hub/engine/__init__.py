"""The stages of an evaluation between files: draw, load, encode, pair, assemble a bundle."""
