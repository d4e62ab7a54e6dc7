"""Supply: internet sessions bought from data providers and handed to people's lines."""
