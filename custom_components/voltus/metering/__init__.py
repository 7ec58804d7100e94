"""Meters anywhere: intervals of load, what a site would have drawn, and what it saved."""
