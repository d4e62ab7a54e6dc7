"""The console's pages, one module each: handlers, and the routes with their permissions."""
