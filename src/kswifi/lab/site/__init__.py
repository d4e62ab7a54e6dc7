"""The content server of the lab, and the store of pages that the lab phone has fetched."""
