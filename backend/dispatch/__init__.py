"""Dispatch: packed orders become jobs, jobs become routes, vans drive them, and what happened at the door is stock moved.

Planning (jobs, plans, the board, release) and the road (loading, positions, proofs, coming back) share the tables of
migration 0070. Routing itself is pure and stands in `routing`.
"""
