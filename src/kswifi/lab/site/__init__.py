"""The content server of the lab, and the pages that the lab phone fetched."""
