"""Providers of text messages to rehearse with: they answer as Termii and Africa's Talking do, and send nothing."""
