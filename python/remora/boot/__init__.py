"""Runs at the start of every Python process of a run. Standard library only: it costs nothing before Ray is used."""
