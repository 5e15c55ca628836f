// Checks a sealed record in this browser: its bytes are hashed, the proof is folded (RFC 9162,
// section 2.1.3.2) and compared with the root in the checkpoint, whose Ed25519 signature is checked
// too where the browser has it (C2SP signed-note). The server computes nothing.
(() => {
  const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

  const from64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  const digest = async (...parts) => {
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let place = 0;
    for (const part of parts) {
      joined.set(part, place);
      place += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
  };
  const sha256 = (prefix, ...parts) => digest([prefix], ...parts);

  // Each step: which neighbour was joined on which side, and the hash of both. BigInt: a ledger may
  // outgrow 32 bits, where the shifts of numbers end.
  const fold = async (leaf, index, size, proof) => {
    const steps = [];
    let [node, last, hash] = [BigInt(index), BigInt(size) - 1n, leaf];
    for (const neighbour of proof) {
      if (last === 0n) throw new Error("the proof is longer than the tree is high");
      const left = (node & 1n) === 1n || node === last;
      hash = left ? await sha256(1, neighbour, hash) : await sha256(1, hash, neighbour);
      steps.push({ neighbour: hexOf(neighbour), left, hash: hexOf(hash) });
      if (left) while (node !== 0n && (node & 1n) === 0n) { node >>= 1n; last >>= 1n; }
      node >>= 1n;
      last >>= 1n;
    }
    if (last !== 0n) throw new Error("the proof is shorter than the tree is high");
    return { steps, root: hash };
  };

  const headOf = (note) => {
    const [origin, size, root] = note.split("\n");
    return { origin, size: Number(size), root: from64(root) };
  };

  // A verifier key: name+hex(key id)+base64(01 || public key). The id is derived, never believed.
  const keyOf = async (line) => {
    const [, name, id, encoded] = line.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/);
    const material = from64(encoded);
    const derived = await digest(new TextEncoder().encode(`${name}\n`), material);
    if (material[0] !== 1 || hexOf(derived.slice(0, 4)) !== id) throw new Error("the ledger’s key is malformed");
    return { name, id, line, material: material.slice(1) };
  };

  // "good", "bad", or "unchecked" where this browser has no Ed25519; and the key that signed.
  const signatureOf = async (note, lines) => {
    const end = note.lastIndexOf("\n\n");
    const text = new TextEncoder().encode(note.slice(0, end + 1));
    const keys = await Promise.all(lines.map(keyOf));
    let signer;
    for (const line of note.slice(end + 2).trimEnd().split("\n")) {
      const [, name, encoded] = line.match(/^\u2014 (\S+) (\S+)$/) ?? [];
      const bytes = encoded ? from64(encoded) : [];
      const key = keys.find((one) => one.name === name && one.id === hexOf(bytes.slice(0, 4)));
      if (!key) continue;  // of a witness, say: a signature by nobody known proves nothing
      signer = key;
      let imported;
      try {
        imported = await crypto.subtle.importKey("raw", key.material, "Ed25519", false, ["verify"]);
      } catch (error) {
        if (error.name === "NotSupportedError") return { stands: "unchecked", signer };
        return { stands: "bad", signer };
      }
      if (!await crypto.subtle.verify("Ed25519", imported, bytes.slice(4), text)) return { stands: "bad", signer };
    }
    return { stands: signer ? "good" : "bad", signer };
  };

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const fact = (list, name, value) => {
    list.append(element("dt", name), element("dd", value, "code"));
  };

  const HEADINGS = {
    good: ["good", "Verified in this browser."],
    unchecked: ["warn", "The proof holds; the signature was not checked."],
    bad: ["bad", "It does not hold."],
  };
  const SIGNATURES = {
    good: "Ed25519: fits the checkpoint",
    unchecked: "Ed25519: not checked, this browser lacks it",
    bad: "Ed25519: does not fit the checkpoint",
  };
  const CHANGED = "the record or the ledger was changed after sealing. Tell the compliance officer.";

  const wordsOf = (leads, stands, count) => {
    const way = `The record’s bytes were hashed here and joined with ${count} neighbouring hashes. They lead to the root`;
    if (!leads) return `The record’s bytes do not lead to the signed root: ${CHANGED}`;
    if (stands === "bad") return `The record’s bytes lead to the root of this checkpoint, but the ledger’s key did not sign it: ${CHANGED}`;
    if (stands === "good") return `${way} of the checkpoint, and its signature fits the ledger’s key below. Compare that key with the one you were given by another way.`;
    return `${way} of the checkpoint. Whether the ledger’s key signed it was not checked: this browser has no Ed25519. A newer one has, and so has verify.py in every export.`;
  };

  const show = (place, found) => {
    const [tone, heading] = HEADINGS[found.result];
    const box = element("div", undefined, `verdict is-${tone}`);
    box.append(element("strong", heading));
    box.append(element("p", found.words));
    const details = element("details");
    details.open = true;
    details.append(element("summary", "Every hash on the way"));
    const facts = element("dl", undefined, "facts is-wide");
    fact(facts, "Leaf", `SHA-256(00 ‖ record) = ${found.leaf}`);
    const steps = element("ol", undefined, "hashes");
    for (const step of found.steps) {
      const joined = step.left ? `${step.neighbour} ‖ hash so far` : `hash so far ‖ ${step.neighbour}`;
      steps.append(element("li", `SHA-256(01 ‖ ${joined}) = ${step.hash}`, "code"));
    }
    const end = element("dl", undefined, "facts is-wide");
    fact(end, "Computed root", found.root);
    fact(end, "Signed root", found.signed);
    fact(end, "Checkpoint", `${found.origin}, ${found.size} records`);
    fact(end, "Signature", SIGNATURES[found.signature.stands]);
    if (found.signature.signer) fact(end, "Ledger’s key", found.signature.signer.line);
    details.append(facts, steps, end);
    const bytes = element("details");
    const record = element("pre", found.record, "code");
    record.tabIndex = 0;
    bytes.append(element("summary", "The record, as it was hashed"), record);
    place.replaceChildren(box, details, bytes);
  };

  const verify = async (address) => {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}: reload the page`);
    const sent = await answer.json();
    const leaf = await sha256(0, new TextEncoder().encode(sent.record));
    const head = headOf(sent.checkpoint);
    const folded = await fold(leaf, sent.leaf_index, head.size, sent.proof.map(bytesOf));
    const [root, signed] = [hexOf(folded.root), hexOf(head.root)];
    const signature = await signatureOf(sent.checkpoint, sent.keys);
    const result = root === signed ? signature.stands : "bad";
    return {
      result, signature, root, signed, leaf: hexOf(leaf), steps: folded.steps, record: sent.record,
      words: wordsOf(root === signed, signature.stands, sent.proof.length),
      origin: head.origin, size: head.size.toLocaleString(),
    };
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-verify]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const held = button.closest("[data-proof]");
        const place = held.querySelector("[data-result]") ?? element("div");
        place.dataset.result = "";
        place.setAttribute("role", "status");
        held.append(place);
        button.setAttribute("aria-disabled", "true");
        try {
          if (!globalThis.crypto?.subtle) throw new Error("this browser hashes only on https pages and on this machine itself");
          show(place, await verify(button.dataset.verify));
        } catch (error) {
          place.replaceChildren(element("p", `Not checked: ${error.message}.`, "note"));
        }
        button.removeAttribute("aria-disabled");
      });
    }
  });
})();
