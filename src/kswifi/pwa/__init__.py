"""Floor 5: the app people hold in their hands, as static files, and the routes that serve them.

``static`` holds the sources, which run in a browser as they are; ``minified`` what esbuild made of them
(`make app`). ``assets`` knows the files, their hashes and their compressed forms; ``content_coding`` chooses among
these by what a client accepts; ``router`` serves them with the headers that keep the page strict.
"""
