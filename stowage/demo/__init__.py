"""The demo: one seeded world that moves goods and people and drives emulated devices, beside the real system.

`seed` lays the warehouse once; `run` is the program that lives in it. The system cannot tell it from a real
warehouse: devices speak their bytes, people use the HTTP API with their own accounts, the ERP's users use the ERP.
"""
