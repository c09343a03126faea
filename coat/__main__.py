"""`coat` and `python -m coat`."""

from coat.cli import main

if __name__ == "__main__":
    main()
