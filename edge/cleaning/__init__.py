"""From raw tag reads to what happened: which tags are there, where, and which went through a door.

Pure state machines: reads and the time go in as arguments, results come out; no clock, no thread, no input
or output in here. `presence` smooths, `zones` decides the antenna, `portal` decides direction and strays.
Times are seconds since 1970 as float; RSSI is in 0.01 dBm. Add the next cleaner as a module of its own and a
line in `edge/agent.py`'s PURPOSES.
"""
