"""What the memory can do, measured."""
