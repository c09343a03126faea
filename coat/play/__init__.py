"""Puzzles at the terminal: the games, how hard a puzzle is, what was won, and the screens of `coat play`.

What solves puzzles here (`rating`) serves the rating and the dealing alone; no search looks at it.
"""
