from __future__ import annotations

from ingester.resharding import MARK_MS, TAIL_MS, TOLD_APART_MS, Part, Step, part_of


class Plan:
    """Instances of two sets and a clock; what plan_step.lua does is done here."""

    def __init__(self) -> None:
        self.plan: dict[str, str] = {}
        self.now = 1_000_000
        self.led: dict[int, bool] = {}

    def look(self, total: int, running: set[int], *, all_ready: bool = True) -> Part:
        part = part_of(
            total, self.plan, self.now, running=running, all_ready=all_ready, led=self.led.get(total, False)
        )
        match part.step:
            case Step.TAKE:
                self.plan = {"total": str(total)}
            case Step.ANNOUNCE:
                self.plan |= {"next": str(total), "next_at": str(self.now)}
            case Step.SWITCH:
                self.plan = {"total": str(total), "prev": self.plan["total"], "switched_at": str(self.now)}
            case Step.FORGET:
                self.plan = {"total": self.plan["total"]}
            case Step.NONE:
                pass
        self.led[total] = self.led.get(total, False) or self.plan.get("total") == str(total)
        return part


def test_the_first_set_takes_charge_and_publishes() -> None:
    plan = Plan()
    assert plan.look(2, set()).step is Step.TAKE
    assert plan.look(2, {2}) == Part()


def test_a_larger_set_marks_waits_switches_and_the_old_one_ends() -> None:
    plan = Plan()
    plan.look(2, set())
    waiting = plan.look(4, {2}, all_ready=False)
    assert waiting == Part(shadow=True, overlap=True)
    assert plan.look(2, {4}) == Part()
    assert plan.look(4, {2}).step is Step.ANNOUNCE
    assert plan.look(2, {4}) == Part(overlap=True), "the old set marks what it publishes"
    plan.now += MARK_MS
    assert plan.look(4, {2}) == Part(shadow=True, overlap=True)
    plan.now += 1
    assert plan.look(4, {2}).step is Step.SWITCH
    assert plan.look(4, {2}) == Part(overlap=True)
    assert plan.look(2, {4}) == Part(overlap=True), "the old set still brings what the new one has not"
    plan.now += TAIL_MS + 1
    assert plan.look(2, {4}).superseded
    plan.now += TOLD_APART_MS
    assert plan.look(4, set()) == Part()


def test_an_announced_set_that_dies_is_forgotten() -> None:
    plan = Plan()
    plan.look(2, set())
    plan.look(4, {2})
    assert plan.look(2, set()).step is Step.FORGET
    assert plan.look(2, set()) == Part()


def test_a_smaller_set_is_refused_while_the_larger_runs_and_may_start_after_it() -> None:
    plan = Plan()
    plan.look(2, set())
    plan.look(4, {2})
    plan.now += MARK_MS + 1
    plan.look(4, {2})
    fresh = Plan()
    fresh.plan, fresh.now = plan.plan, plan.now
    assert fresh.look(2, {4}).refused
    assert fresh.look(2, set()).step is Step.TAKE


def test_the_old_set_takes_over_again_when_the_new_one_is_gone() -> None:
    plan = Plan()
    plan.look(2, set())
    plan.look(4, {2})
    plan.now += MARK_MS + 1
    plan.look(4, {2})
    assert plan.look(2, set()).step is Step.TAKE
