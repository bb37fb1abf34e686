// Starts `sage-flow lsp` and lets VS Code speak to it.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function created() {
  const command = vscode.workspace.getConfiguration("sageFlow").get("command") || "sage-flow";
  return new LanguageClient(
    "sageFlow",
    "sage-flow",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "sage" }] },
  );
}

async function started() {
  client = created();
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(
      `sage-flow could not be started (${error.message}). ` +
        "Install it, or set `sageFlow.command` to its path.",
    );
  }
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("sageFlow.restart", async () => {
      await deactivate();
      await started();
    }),
  );
  await started();
}

async function deactivate() {
  if (client) {
    await client.stop().catch(() => undefined);
    client = undefined;
  }
}

module.exports = { activate, deactivate };
