"""Whether a Hugging Face Hub answers, found out within a bound."""

from __future__ import annotations

import threading

from blindspots_hub.errors import BlindspotsError


class HubUnreachable(BlindspotsError):
    """The Hub is needed and does not answer: nothing is wrong with what was asked for."""


def hub_reachable(timeout: float = 1.5) -> bool:
    """Whether the Hub (`HF_ENDPOINT`, else huggingface.co) answers at all within `timeout` seconds.

    On a machine without DNS every Hub client hangs for half a minute, and a client's own timeout
    does not bound a slow resolver: so the question is asked from a daemon thread that is given up
    after `timeout`. Any HTTP answer, an error's too, means that somebody is there. Nothing is
    remembered: a network that comes back is found by the next call. With `HF_HUB_OFFLINE` set the
    answer is no, at once.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=timeout)
        except Exception:  # whatever went wrong on the way, the Hub did not answer
            return
        answered.set()

    call_hub = threading.Thread(target=ask, name="hub-probe", daemon=True)
    call_hub.start()
    call_hub.join(timeout)
    return answered.is_set()
