"""Rehearsal SMS providers: they answer as Termii and Africa's Talking do, and send nothing."""
