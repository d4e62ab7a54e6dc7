"""Phone verification: a user proves a phone number by typing in the code that was sent to it."""
