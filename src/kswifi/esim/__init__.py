"""Floor 3: eSIM lines and their keys, the authentication centre, our SM-DP+ and orders at external SM-DP+s."""
