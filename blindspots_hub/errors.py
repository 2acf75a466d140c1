"""The one exception that a user is meant to read."""

from __future__ import annotations


class BlindspotsError(Exception):
    """A mistake or a missing thing that the user can mend, told in one sentence.

    The message says what is wrong, where, and what to do. The command line prints it without a
    traceback and exits with 2; the app shows it on the page. Anything else that is raised is a bug.
    """
