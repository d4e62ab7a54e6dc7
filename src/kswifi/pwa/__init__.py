"""Floor 5: the app people hold in their hands, as static files, and the routes that serve them.

No build step: what is in ``static`` is what the browser runs. ``assets`` knows the files, their hashes and their
compressed forms; ``router`` serves them with the headers that keep the page strict.
"""
