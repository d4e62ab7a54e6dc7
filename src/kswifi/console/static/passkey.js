// Sign in with a passkey, or make one: the only script of the console (WebAuthn has no form without one).
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    const says = form.querySelector("[role=alert]");
    says.hidden = true;
    try {
      const answer = await fetch(form.dataset.passkey, { method: "POST" });
      if (!answer.ok) throw new Error("this cannot be used any more: load the page again");
      const { challenge_id, options } = await answer.json();
      const credential = "make" in form.dataset
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.challenge_id.value = challenge_id;
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      says.textContent = `That did not work: ${error.message}`;
      says.hidden = false;
    }
  });
}
