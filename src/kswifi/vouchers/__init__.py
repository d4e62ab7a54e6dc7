"""Floor 3: vouchers: signed single-use codes at a venue's counter, each good for one free InternetSession."""
