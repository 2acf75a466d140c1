"""The flows from images to bundles, and the stages that they share."""
