"""The Diameter server: node, peers, Gy and S6a."""
