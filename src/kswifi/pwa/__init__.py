"""Floor 5: the web app (a PWA), as static files, and the routes that serve them.

- ``static`` holds the sources, which run in a browser unchanged; ``minified`` holds esbuild's output (`make app`).
- ``assets`` reads the files and provides their hashes and compressed forms.
- ``content_coding`` chooses among the compressed forms by what the client accepts.
- ``router`` serves the files with their security headers.
"""
