"""What the worker knows of time: how much of it its own thread worked."""

import threading
import time

from node.clock import Effort


def burn(cpu_s: float) -> None:
    until_s = time.thread_time() + cpu_s
    while time.thread_time() < until_s:
        pass


def test_a_thread_that_worked_has_worked_and_one_that_waited_has_not():
    effort = Effort()
    burn(0.02)
    busy = effort.share()
    threading.Event().wait(0.1)
    assert effort.share() < busy / 2


def test_work_of_other_threads_is_not_its_own():
    effort = Effort()
    other = threading.Thread(target=burn, args=(0.05,))
    other.start()
    other.join()
    assert effort.share() < 0.5
