"""Pairs in, images out: where captions and images come from."""
