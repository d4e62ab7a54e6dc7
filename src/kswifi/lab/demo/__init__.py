"""The demo: the whole road of one InternetSession, walked by a phone in a process of its own."""
