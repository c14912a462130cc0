"""What Remora puts into the Python processes of a run."""
