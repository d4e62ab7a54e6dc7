"""Phone verification: a code is sent to a number, and who types it in has shown that the number is theirs."""
