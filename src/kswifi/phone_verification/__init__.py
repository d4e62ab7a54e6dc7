"""Phone verification: a code is sent to a number, and the user who types it in has proved to receive messages
there.
"""
