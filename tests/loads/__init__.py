"""Tests of the loads that are held down."""
