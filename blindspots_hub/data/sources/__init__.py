"""Sources of captioned images, each in a file of its own."""
