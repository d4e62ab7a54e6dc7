"""The demo: a phone, in a separate process, takes one InternetSession from the order to its end."""
