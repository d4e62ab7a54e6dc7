"""Floor 3: free data without ruin: who may have how much of it, who pays for it, and when it stops."""
