"""Device bytes to readings and back: one folder a device family, emulators beside them, GS1 identifiers.

Start at `driver.py` (the interface), `readings.py` (what comes out) and README.md (how to add one).
"""
