"""Speed, as figures: ratios and CPU per item, never a timed test."""
