"""Photos and films over HTTP: the package of `animegan serve` and `animegan web`. Start at `app`.

`options`: the server's limits and what a visitor can choose. `drawing`: the one thread in which
networks run, and its queues. `studio`: photos and films through that thread, the styles, the files
and when they are deleted. `app`: the HTTP API; `guard`: limits of its requests; `page`: the page.

Needs the extra `web` (pip install 'animegan_tf[web]').
"""

from typing import TYPE_CHECKING

from animegan_tf import lazy

if TYPE_CHECKING:
    from animegan_tf.web.app import create_app
    from animegan_tf.web.options import ServeOptions

_MODULE_OF = {"create_app": "app", "ServeOptions": "options"}

__all__ = list(_MODULE_OF)


def __getattr__(name):
    return lazy.load(__name__, _MODULE_OF, name)
