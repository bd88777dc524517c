"""`gatehouse web` with one more command, the `/greet` that every peer of the benchmark has.

`python -m tests.bench.greeting`
"""

from __future__ import annotations

from typing import Annotated

from app import catalog
from app.feature import Feature
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.options import Option
from app.interactions.replies import Reply
from app.locale.text import t
from app.observability.logging import configure_logging
from app.settings import Settings


@slash("greet", "Say hello")
async def greet(
    call: Call, name: Annotated[str, Option("Whom to greet")], times: Annotated[int, Option("How often")]
) -> Reply:
    """Greet somebody."""
    return Reply.public(t("Hello, {name}!", name=name))


FEATURE = Feature(name="greeting", package="tests.bench.greeting")

if __name__ == "__main__":
    import uvloop

    from app.web.main import serve

    settings = Settings.from_environment()
    configure_logging(settings, "web")
    uvloop.run(serve(settings, features=(*catalog.FEATURES, FEATURE)))
