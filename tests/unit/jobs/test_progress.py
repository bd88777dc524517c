import asyncio

from app.errors import AppError
from app.jobs.progress import Progress


async def test_the_latest_text_wins_and_edits_are_few() -> None:
    shown: list[object] = []

    async def edit(text: object) -> None:
        shown.append(text)

    progress = Progress(edit, seconds=0.05)
    for number in range(100):
        await progress.report(str(number))
        if number == 50:
            await asyncio.sleep(0.08)
    await asyncio.sleep(0.12)
    await progress.finish()
    assert shown[-1] == "99"
    assert len(shown) <= 4


async def test_finishing_waits_for_an_edit_under_way_and_drops_the_rest() -> None:
    shown: list[object] = []
    go = asyncio.Event()

    async def edit(text: object) -> None:
        await go.wait()
        shown.append(text)

    progress = Progress(edit, seconds=0)
    await progress.report("first")
    await asyncio.sleep(0.01)
    await progress.report("second")
    finishing = asyncio.create_task(progress.finish())
    await asyncio.sleep(0.01)
    assert not finishing.done()
    go.set()
    await finishing
    assert shown == ["first"]


async def test_an_edit_that_fails_does_not_end_the_job() -> None:
    async def edit(text: object) -> None:
        raise AppError

    progress = Progress(edit, seconds=0)
    await progress.report("x")
    await asyncio.sleep(0.01)
    await progress.report("y")
    await asyncio.sleep(0.01)
    await progress.finish()


async def test_finishing_without_a_report_is_nothing() -> None:
    async def edit(text: object) -> None:
        raise AssertionError

    await Progress(edit).finish()
