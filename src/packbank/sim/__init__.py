"""Simulation: physical banks in simulated time, and packs on pseudo-terminals in real time."""
