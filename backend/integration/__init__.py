"""What Stowage says to other systems and hears from them: one folder a kind of system."""
