// Sending commands, presses, choices and modals, and showing what came of it.

import { post } from "./api.js";
import { addLocal, addMessage, refreshMessage } from "./chat.js";
import { toast } from "./dom.js";
import { openModal } from "./modal.js";
import { me, state } from "./state.js";

const acting = () => ({ as: state.me, ...(state.locale ? { locale: state.locale } : {}) });

/** Run a command. Throws ApiProblem for what the client would not send; everything else shows in the chat. */
export async function runCommand({ name, type = 1, options = {}, target = null }) {
  const channelId = state.channelId;
  const line = addLocal(channelId, type === 1 ? `/${name}` : name);
  try {
    const outcome = await post("/commands", { ...acting(), channel: channelId, name, type, options, target });
    if (outcome.state === "failed") line.fail(outcome.error);
    else line.remove();
    show(outcome);
  } catch (problem) {
    line.remove();
    throw problem;
  }
}

export async function askChoices({ name, focused, options }) {
  const outcome = await post("/autocomplete", { ...acting(), channel: state.channelId, name, focused, options });
  if (outcome.state === "failed") throw new Error(outcome.error.message);
  return outcome.choices ?? [];
}

export async function useComponent(message, customId, values) {
  state.failures.delete(message.id);
  state.pending.set(message.id, customId);
  refreshMessage(message.channel_id, message.id);
  try {
    const body = { ...acting(), custom_id: customId, ...(values ? { values } : {}) };
    const outcome = await post(`/messages/${message.id}/${values ? "choose" : "press"}`, body);
    if (outcome.state === "failed") state.failures.set(message.id, outcome.error);
    show(outcome);
  } catch (problem) {
    state.failures.set(message.id, { message: problem.message });
  } finally {
    state.pending.delete(message.id);
    refreshMessage(message.channel_id, message.id);
  }
}

function show(outcome) {
  if (outcome.modal) {
    openModal(outcome.modal, (values) => submit(outcome.modal.modal_id, values));
  } else if (outcome.message && outcome.response === "message") {
    addMessage({ ...outcome.message, ephemeral_for: outcome.ephemeral ? me().id : null });
  }
}

/** Returns null when the modal can close, otherwise {message, problems} to show in it. */
async function submit(modalId, values) {
  try {
    const outcome = await post(`/modals/${modalId}/submit`, { ...acting(), values });
    if (outcome.state === "failed") return { message: outcome.error.message, reason: [outcome.error.reason, ...outcome.error.problems].join("\n"), problems: {} };
    show(outcome);
    return null;
  } catch (problem) {
    return { message: problem.message, problems: problem.problems };
  }
}

export async function commandOn(command, target) {
  try {
    await runCommand({ name: command.name, type: command.type, target });
  } catch (problem) {
    toast(problem.message);
  }
}

