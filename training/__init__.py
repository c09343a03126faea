"""How the project's own puzzle model is made and measured; `python -m training --help` is the way in."""
