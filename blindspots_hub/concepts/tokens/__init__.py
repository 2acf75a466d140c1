"""Token stores: a backbone's tokens of many images on disk."""
