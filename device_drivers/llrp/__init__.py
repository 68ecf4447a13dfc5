"""LLRP, the standard protocol of UHF RFID readers (EPCglobal LLRP 1.0.1 and 1.1).

`definitions` is the table of messages and parameters, `codec` turns bytes into elements and back, `status`
says in words what a reader refused, `reports` reads tag reports fast, `driver` keeps a reader alive.
"""
