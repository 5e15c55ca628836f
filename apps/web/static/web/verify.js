// Checks a sealed record in this browser: its bytes are hashed, the proof is folded (RFC 9162,
// section 2.1.3.2) and compared with the root in the signed checkpoint. The server computes nothing.
(() => {
  const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

  const sha256 = async (prefix, ...parts) => {
    const size = parts.reduce((sum, part) => sum + part.length, 1);
    const joined = new Uint8Array(size);
    joined[0] = prefix;
    let place = 1;
    for (const part of parts) {
      joined.set(part, place);
      place += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
  };

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
    return { origin, size: Number(size), root: Uint8Array.from(atob(root), (c) => c.charCodeAt(0)) };
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

  const show = (place, found) => {
    const box = element("div", undefined, `verdict ${found.holds ? "is-good" : "is-bad"}`);
    box.append(element("strong", found.holds ? "Verified in this browser." : "It does not hold."));
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
    const holds = root === signed;
    const words = holds
      ? `The record’s bytes were hashed here and joined with ${sent.proof.length} neighbouring hashes. They lead to the root that the ledger’s key signed.`
      : "The record’s bytes do not lead to the signed root: the record or the ledger was changed after sealing. Tell the compliance officer.";
    return {
      holds, words, root, signed, leaf: hexOf(leaf), steps: folded.steps, record: sent.record,
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
