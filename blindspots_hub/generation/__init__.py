"""Text-to-image models: known ones, loading, and images from captions."""
