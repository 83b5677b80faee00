"""The parts of serve_faults.py."""
