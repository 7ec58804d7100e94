"""Tests of the client library: what it reads, what it decides and how it speaks."""
