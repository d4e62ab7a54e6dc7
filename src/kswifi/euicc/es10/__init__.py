"""ES10 on the card: the functions an LPA calls, and the download of a bound profile package (SGP.22, 5.7)."""
