"""What names are asked of: language models, image-text models, and models of similarity."""
