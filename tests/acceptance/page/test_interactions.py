"""Commands, options, buttons, menus, modals, layouts: what a person sees and what the application gets."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.acceptance.page.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def run(page: Page, name: str) -> None:
    """Type a command without required options and send it, by keyboard alone."""
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type(f"/{name}")
    await expect(page.locator("[data-testid=picker-item][aria-selected=true]")).to_have_attribute(
        "data-name", name
    )
    await page.keyboard.press("Enter")
    await page.get_by_test_id("command-form").wait_for()
    await page.keyboard.press("Enter")


def last(page: Page) -> Locator:
    return page.get_by_test_id("message").last


async def test_a_command_is_picked_and_answered(page: Page, site: Site) -> None:
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type("/")
    items = page.get_by_test_id("picker-item")
    await expect(items).to_have_count(9)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("picker")).to_have_count(0)
    await page.keyboard.type("shrug")
    await page.keyboard.press("Enter")
    await expect(last(page)).to_contain_text("/shrug")  # no command: it is just text
    await run(page, "ping")
    await expect(last(page)).to_contain_text("Maya used /ping")
    await expect(last(page)).to_contain_text("Pong! The gate is open.")
    await expect(page.get_by_test_id("composer")).to_be_focused()
    await page.get_by_test_id("tab-requests").click()
    entry = page.get_by_test_id("entry").first
    await expect(entry).to_contain_text("/ping")
    await entry.locator("summary").click()
    await expect(entry).to_contain_text("X-Signature-Ed25519")


async def test_an_ephemeral_answer_is_for_one_person_and_can_be_dismissed(page: Page, site: Site) -> None:
    await run(page, "secret")
    await expect(last(page)).to_contain_text("just between us")
    await expect(last(page).get_by_test_id("ephemeral-note")).to_contain_text("Only you can see this")
    assert not [m for m in await site.get("/channels/general/messages?as=lena") if m["ephemeral_for"]]
    await page.reload()
    await expect(last(page)).to_contain_text("just between us")
    await last(page).get_by_test_id("dismiss").click()
    await expect(page.get_by_text("just between us")).to_have_count(0)


async def test_a_deferred_answer_thinks_until_it_is_there(page: Page, site: Site) -> None:
    await run(page, "slow")
    await expect(last(page).get_by_test_id("thinking")).to_contain_text("Gatehouse is thinking")
    site.app.gate.set()
    await expect(last(page)).to_contain_text("That took a while.")
    await expect(last(page)).not_to_contain_text("(edited)")


async def test_a_failing_application_did_not_respond(page: Page, site: Site) -> None:
    await run(page, "broken")
    failed = page.get_by_test_id("failed-command")
    await expect(failed).to_contain_text("The application did not respond")
    await failed.locator("summary").click()
    await expect(failed).to_contain_text("HTTP 500 instead of 200")
    await failed.get_by_test_id("dismiss").click()
    await expect(failed).to_have_count(0)


async def test_options_are_completed_checked_and_typed(page: Page, site: Site) -> None:
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type("/fruit")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("command-form").wait_for()
    await page.keyboard.type("ap")
    choices = page.get_by_test_id("option-choice")
    await expect(choices).to_have_text(["Apple", "Apricot"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("12")
    await page.keyboard.press("Enter")
    amount = page.locator("[data-testid=option][data-name=amount]")
    await expect(amount).to_contain_text("at most 9")
    await amount.get_by_test_id("option-input").fill("3")
    await page.locator("[data-testid=add-option][data-name=friend]").click()
    await page.keyboard.type("len")
    await page.keyboard.press("Enter")
    await page.locator("[data-testid=add-option][data-name=ripe]").click()
    await page.keyboard.type("tr")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("run-command").click()
    await expect(last(page)).to_contain_text("3 × apricot, en-US")
    data = site.app.received[-1]["data"]
    values = {o["name"]: (o["type"], o["value"]) for o in data["options"]}
    assert values["amount"] == (4, 3)
    assert values["ripe"] == (5, True)
    assert data["resolved"]["users"][values["friend"][1]]["username"] == "lena"


async def test_the_picker_speaks_the_persons_language(page: Page, site: Site) -> None:
    await page.get_by_test_id("locale").click()
    await page.get_by_test_id("choice-filter").fill("Deutsch")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("locale")).to_have_text("de")
    await page.get_by_test_id("composer").focus()
    await page.keyboard.type("/obst")
    await expect(page.get_by_test_id("picker-item").first).to_contain_text("Such dir Obst aus")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("command-form").wait_for()
    await page.keyboard.press("Escape")
    await run(page, "ping")
    await expect(last(page)).to_contain_text("Pong!")
    sent = site.app.received[-1]
    assert (sent["locale"], sent["guild_locale"], sent["data"]["name"]) == ("de", "en-US", "ping")


async def test_buttons_answer_update_fail_and_link(page: Page, site: Site) -> None:
    await run(page, "panel buttons")
    panel = last(page)
    await expect(panel.get_by_role("link", name="Docs")).to_have_attribute("href", "https://example.org")
    await panel.get_by_role("button", name="Fail").click()
    await expect(panel.get_by_test_id("interaction-error")).to_contain_text("The application did not respond")
    await panel.get_by_role("button", name="Whisper").click()
    await expect(last(page)).to_contain_text("Only for whoever pressed")
    panel = page.get_by_test_id("message").filter(has_text="Choose your button")
    await panel.get_by_role("button", name="Count").press("Enter")
    changed = page.get_by_test_id("message").filter(has_text="You pressed it")
    await expect(changed.get_by_role("button", name="Done")).to_be_disabled()


async def test_menus_take_one_or_several_values(page: Page, site: Site) -> None:
    await run(page, "panel menus")
    await page.locator("[data-testid=select][data-custom-id=colour]").click()
    await expect(page.get_by_test_id("choice")).to_have_count(3)
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("choice-done").click()
    await expect(last(page)).to_contain_text("Colours: green, amber")
    await page.locator("[data-testid=select][data-custom-id=people]").click()
    await page.get_by_test_id("choice-filter").fill("aiko")
    await page.keyboard.press("Enter")
    await expect(last(page)).to_contain_text("People: aiko")


async def test_a_modal_keeps_what_was_typed_until_it_is_right(page: Page, site: Site, tmp_path: Any) -> None:
    await run(page, "form")
    modal = page.get_by_test_id("modal")
    await expect(modal.get_by_role("heading")).to_have_text("Tell the team")
    await page.keyboard.type("Hi")
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal).to_contain_text("At least 5 characters")
    await expect(modal).to_contain_text("Please choose one")
    await page.keyboard.type(" there, help")
    await modal.get_by_text("Serious").click()
    await modal.get_by_text("Remove it").click()
    await modal.get_by_test_id("modal-select").click()
    await page.get_by_test_id("choice-filter").fill("diego")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("choice-done").click()
    proof = tmp_path / "proof.txt"
    proof.write_text("it was him")
    await modal.get_by_test_id("modal-file").set_input_files(proof)
    await modal.get_by_test_id("modal-submit").click()
    await expect(last(page)).to_contain_text("You wrote: Hi there, help (2; ['remove'])")
    await expect(modal).to_have_count(0)
    data = site.app.received[-1]["data"]
    leaves = {label["component"]["custom_id"]: label["component"] for label in data["components"]}
    attachment = data["resolved"]["attachments"][leaves["proof"]["values"][0]]
    assert (attachment["filename"], attachment["size"]) == ("proof.txt", 10)
    assert data["resolved"]["users"][leaves["who"]["values"][0]]["username"] == "diego"


async def test_a_modal_of_a_button_offers_every_kind_of_choice(page: Page, site: Site) -> None:
    await run(page, "panel buttons")
    await last(page).get_by_role("button", name="Ask").click()
    modal = page.get_by_test_id("modal")
    selects = modal.get_by_test_id("modal-select")
    await expect(selects.nth(0)).to_have_text("Amber")
    await selects.nth(1).click()
    await page.get_by_test_id("choice-filter").fill("priya")
    await page.keyboard.press("Enter")
    await page.get_by_test_id("choice-filter").fill("bookworm")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+Enter")
    await selects.nth(2).click()
    await page.get_by_test_id("choice-filter").fill("general")
    await page.keyboard.press("Enter")
    await expect(selects.nth(2)).to_have_text("general")
    await modal.get_by_test_id("modal-checkbox").check()
    await modal.get_by_test_id("modal-submit").click()
    await expect(last(page)).to_contain_text("['amber'] 2 1 True")
    assert set(site.app.received[-1]["data"]["resolved"]) == {"users", "members", "roles", "channels"}
    assert site.app.received[-1]["message"]["content"] == "Choose your button"


async def test_a_layout_of_components_is_drawn(page: Page, site: Site) -> None:
    await run(page, "layout")
    card = last(page).get_by_test_id("container")
    await expect(card.get_by_role("heading", name="Gatekeeper's report")).to_be_visible()
    await expect(card).to_contain_text("12 arrived, 1 was turned away")
    await card.get_by_role("button", name="Ring").click()
    await expect(last(page)).to_contain_text("Ding")


async def test_message_and_user_commands_stand_in_the_menus(page: Page, site: Site) -> None:
    await site.post("/messages", as_="diego", channel="general", content="something rude")
    rude = page.get_by_test_id("message").filter(has_text="something rude")
    await rude.click(button="right")
    await page.get_by_test_id("menu").get_by_role("menuitem", name="Report message").click()
    await expect(last(page)).to_contain_text("Reported: something rude")
    await page.locator("[data-testid=member][data-username=diego]").click()
    await page.get_by_test_id("profile").get_by_text("Show notes").click()
    await expect(last(page)).to_contain_text("Notes on diego: none")
