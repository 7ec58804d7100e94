"""Tests of the integration, of its client library and of the local Voltus."""
