// Questions with choices or a number, for anything that offers a model with get, set, save_changes, on and off.
// cards: what is asked; texts in it are HTML that Python has escaped. answers: id -> indices of the choices, or a number.
// notes: id -> what the kernel says once it has kept an answer. A card with `graded` explains every choice and is closed.

const STYLE = `
.sgan-choices { max-width: 46em; padding: 2px; line-height: 1.45; color: var(--jp-content-font-color1, inherit);
  font-family: var(--jp-content-font-family, inherit); font-size: var(--jp-content-font-size1, inherit); }
.sgan-choices fieldset { border: 1px solid #8888; border-radius: 4px; margin: 0 0 .8em; padding: .5em 1em .8em; }
.sgan-choices legend { float: left; width: 100%; padding: .2em 0 .4em; font-weight: 600; }
.sgan-choices legend + * { clear: both; }
.sgan-choices pre { margin: .2em 0 .6em; padding: .5em; border: 1px solid #8884; overflow-x: auto; }
.sgan-choices code { font-family: var(--jp-code-font-family, monospace); font-weight: normal; }
.sgan-choices label { display: block; padding: .15em 0; cursor: pointer; }
.sgan-choices input { margin: 0 .6em 0 0; accent-color: #0b5cad; }
.sgan-choices .why { margin: 0 0 .4em 1.6em; padding-left: .6em; border-left: 3px solid #b45309; }
.sgan-choices .why.right { border-color: #15803d; }
.sgan-choices button { margin: .5em .8em 0 0; padding: .25em .9em; font: inherit; cursor: pointer; color: inherit;
  background: transparent; border: 1px solid currentColor; border-radius: 4px; }
.sgan-choices [role=status] { margin: .5em 0 0; min-height: 1.45em; }
.sgan-choices :focus-visible { outline: 2px solid #0b5cad; outline-offset: 2px; }
`;
let views = 0; // radio buttons of one name exclude each other, so each view needs names of its own

function create(tag, parent, attributes = {}, html = "") {
  const node = Object.assign(document.createElement(tag), attributes);
  node.innerHTML = html;
  node.dataset.lmSuppressShortcuts = "true"; // keys belong to the form: JupyterLab looks at the focused node first
  parent.append(node);
  return node;
}

const same = (a, b) => a.length === b.length && a.every((value) => b.includes(value));
const indicesOfRight = (card) => card.choices.flatMap((choice, index) => (choice.right ? [index] : []));
const isRight = (card, picked) => same(indicesOfRight(card), picked);

function drawCard(model, root, card, view) {
  const form = create("form", root, { noValidate: true });
  const box = create("fieldset", form);
  create("legend", box, {}, card.question);
  if (card.code) create("pre", box).append(create("code", box, {}, card.code));
  const inputs = card.choices ? drawChoices(box, card, view) : [drawNumber(box, card)];
  const button = create("button", box, { type: "submit" }, card.button);
  const status = create("p", box, { tabIndex: -1 });
  status.setAttribute("role", "status");

  const read = () => {
    if (!card.choices) return inputs[0].checkValidity() ? inputs[0].valueAsNumber : null;
    const picked = inputs.flatMap((input, index) => (input.checked ? [index] : []));
    return picked.length ? picked : null;
  };
  const show = () => {
    const answer = model.get("answers")[card.id];
    const note = model.get("notes")[card.id] ?? "";
    if (answer === undefined) return;
    if (card.choices) inputs.forEach((input, index) => (input.checked = answer.includes(index)));
    else inputs[0].value = answer;
    status.innerHTML = card.graded ? `<b>${isRight(card, answer) ? "Right." : "Not right."}</b> ${note}` : note;
    if (card.graded && !button.hidden) explain(card, inputs, button, answer);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const answer = read();
    if (answer === null || Number.isNaN(answer)) {
      status.textContent = card.choices ? "Choose an answer first." : `Enter a number from ${card.low} to ${card.high}.`;
      return;
    }
    model.set("answers", { ...model.get("answers"), [card.id]: answer });
    model.save_changes();
    show();
    if (card.graded) status.focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target === status) return;
    event.preventDefault(); // JupyterLab takes the key from the browser in some fields
    form.requestSubmit();
  });
  show();
  return show;
}

function drawChoices(box, card, view) {
  return card.choices.map((choice, index) => {
    const label = create("label", box);
    const input = create("input", label, { type: card.several ? "checkbox" : "radio", name: `sgan-${view}-${card.id}` });
    input.value = index;
    create("span", label, {}, choice.text);
    return input;
  });
}

function drawNumber(box, card) {
  const label = create("label", box, {}, `Your guess, from ${card.low} to ${card.high}: `);
  const input = create("input", label, { type: "number", min: card.low, max: card.high, step: "any", required: true });
  create("span", label, {}, card.unit);
  return input;
}

function explain(card, inputs, button, answer) {
  button.hidden = true;
  inputs.forEach((input, index) => {
    const choice = card.choices[index];
    const verdict = `${choice.right ? "✓ Right" : "✗ Not right"}${answer.includes(index) ? ", your answer" : ""}.`;
    input.disabled = true;
    const why = create("div", input.parentElement.parentElement, {}, `<b>${verdict}</b> ${choice.why}`);
    why.className = choice.right ? "why right" : "why";
    input.parentElement.after(why);
  });
}

function drawScore(model, root, cards) {
  const score = create("p", root);
  score.setAttribute("role", "status");
  return () => {
    const answers = model.get("answers");
    const answered = cards.filter((card) => answers[card.id] !== undefined);
    const right = answered.filter((card) => isRight(card, answers[card.id])).length;
    const open = cards.length - answered.length;
    score.innerHTML = answered.length ? `<b>${right} of ${cards.length} right</b>${open ? `, ${open} still open` : ""}.` : "";
  };
}

function render({ model, el }) {
  const root = create("div", el, { className: "sgan-choices" });
  create("style", root).textContent = STYLE;
  const cards = model.get("cards");
  const view = ++views;
  const shows = cards.map((card) => drawCard(model, root, card, view));
  if (cards.length > 1) shows.push(drawScore(model, root, cards));
  const update = () => shows.forEach((show) => show());
  update();
  const events = ["change:answers", "change:notes"];
  events.forEach((name) => model.on(name, update));
  return () => events.forEach((name) => model.off(name, update));
}

export default { render };
