"""Benchmarks of speed and quality: what the README quotes is measured here."""
