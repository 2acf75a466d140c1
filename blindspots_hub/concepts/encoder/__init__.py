"""Exact sparse codes of tokens, at the speed of one low-precision product."""
