"""Parts of the server process: one function ``open_x(context) -> Part`` for each capability and network edge."""
