"""The screens of `coat play`."""
