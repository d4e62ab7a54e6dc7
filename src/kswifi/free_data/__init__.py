"""Floor 3: free data: limits per person, budgets that pay for it, and the rules that stop it."""
