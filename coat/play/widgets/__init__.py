"""What the screens of `coat play` are made of."""
