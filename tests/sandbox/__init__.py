"""Tests of the local Voltus."""
