"""Photos and videos over HTTP: the package of `animegan serve` and `animegan web`. Start at `app`.

`options`: the server's limits; `choices`: the options of a request. `drawing`: the thread in which
networks run, and its queues. `studio`: styles, photos, videos and their files. `app`: the HTTP API;
`guard`: limits and counters of requests; `page`: the page.

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
