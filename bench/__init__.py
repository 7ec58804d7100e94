"""How fast it is, measured beside what it is to be compared with: see docs/performance.md.

Each measurement is a module with one function, `measure`. What is compared is measured
in turns in one run, and medians are told, so that the noise of a machine cancels out.
"""
