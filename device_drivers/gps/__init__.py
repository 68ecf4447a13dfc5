"""Satellite receivers of vehicles."""
