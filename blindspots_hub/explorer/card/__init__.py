"""A concept's card, and the card of a region."""
