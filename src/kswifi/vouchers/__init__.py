"""Floor 3: vouchers: one-use signed codes on a venue's counter, each good for one free session."""
