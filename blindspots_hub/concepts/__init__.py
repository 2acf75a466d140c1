"""Images to tokens to sparse concept codes."""
