"""ES10 on the card: functions for the LPA, and the download of a bound profile package (SGP.22, 5.7)."""
