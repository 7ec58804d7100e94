/* The Voltus dashboard: a strategy that builds its views from the registry, and a card
   that says what is asked of a site now. Plain JavaScript, as the browser loads it. */

const DOMAIN = "voltus";
const CARD = "voltus-site-card";

const TEXTS = {
  en: {
    active: "Curtail now",
    preparing: "Bring the load down",
    scheduled: "A dispatch is coming",
    idle: "Nothing to do",
    unknown: "Not known",
    amount: "{kw} kW below the baseline",
    plan: "as far below the baseline as your plan allows",
    until: "until {time}",
    open: "until Voltus ends it",
    starts: "starts {time}",
    left: "{span} left",
    in: "in {span}",
    test: "Test",
    drill: "Drill",
    out: "Opted out: call Voltus",
    acknowledge: "Acknowledge",
    opt_out: "Opt out",
    report: "Report",
    opt_in: "Opt in again",
    start_drill: "Start drill",
    stop_drill: "Stop drill",
    opt_out_is: "The load comes back at once, until the dispatch is over. Voltus is not told: call them.",
    start_drill_is: "Brings your real loads down, without Voltus. It ends by itself and gives way to a real dispatch.",
    reason: "Reason",
    minutes: "Minutes",
    cancel: "Cancel",
    offline: "No contact with Voltus: what is known stays in force.",
    missing: "This site is no longer there. Choose another one in the card’s settings.",
    disabled: "The sensor “Phase” of this site is disabled.",
    details: "Details of {name}",
    now: "Now",
    calendar: "Calendar",
    log: "Log",
    commitment: "Commitment",
    load: "Load against target (estimated)",
    load_is: "Load {kw} kW",
    target_is: "target {kw} kW, estimated",
    none: "No Voltus account is set up.",
    card: "Voltus site",
    card_is: "What Voltus asks of a site now, how much, and for how long",
    dashboard_is: "What Voltus asks now, each site, the calendar and the log",
  },
  es: {
    active: "Reducir ahora",
    preparing: "Bajar la carga",
    scheduled: "Viene un despacho",
    idle: "Nada que hacer",
    unknown: "Desconocido",
    amount: "{kw} kW por debajo de la línea base",
    plan: "tan por debajo de la línea base como permita su plan",
    until: "hasta {time}",
    open: "hasta que Voltus lo termine",
    starts: "empieza {time}",
    left: "quedan {span}",
    in: "en {span}",
    test: "Prueba",
    drill: "Simulacro",
    out: "Sin participar: llame a Voltus",
    acknowledge: "Confirmar",
    opt_out: "Dejar de participar",
    report: "Informe",
    opt_in: "Volver a participar",
    start_drill: "Iniciar simulacro",
    stop_drill: "Detener simulacro",
    opt_out_is: "La carga vuelve de inmediato, hasta que termine el despacho. Voltus no se entera: llámelos.",
    start_drill_is: "Baja sus cargas reales, sin Voltus. Termina por sí solo y cede el paso a un despacho real.",
    reason: "Motivo",
    minutes: "Minutos",
    cancel: "Cancelar",
    offline: "Sin contacto con Voltus: lo que se sabe sigue en vigor.",
    missing: "Este sitio ya no existe. Elija otro en los ajustes de la tarjeta.",
    disabled: "El sensor «Fase» de este sitio está deshabilitado.",
    details: "Detalles de {name}",
    now: "Ahora",
    calendar: "Calendario",
    log: "Registro",
    commitment: "Compromiso",
    load: "Carga y objetivo (estimado)",
    load_is: "Carga {kw} kW",
    target_is: "objetivo {kw} kW, estimado",
    none: "No hay ninguna cuenta de Voltus configurada.",
    card: "Sitio de Voltus",
    card_is: "Qué pide Voltus a un sitio ahora, cuánto y hasta cuándo",
    dashboard_is: "Qué pide Voltus ahora, cada sitio, el calendario y el registro",
  },
  fr: {
    active: "Réduire maintenant",
    preparing: "Faire baisser la charge",
    scheduled: "Un appel est prévu",
    idle: "Rien à faire",
    unknown: "Inconnu",
    amount: "{kw} kW sous la référence",
    plan: "aussi loin sous la référence que votre plan le permet",
    until: "jusqu’à {time}",
    open: "jusqu’à ce que Voltus y mette fin",
    starts: "commence {time}",
    left: "encore {span}",
    in: "dans {span}",
    test: "Essai",
    drill: "Exercice",
    out: "Retiré : appelez Voltus",
    acknowledge: "Accuser réception",
    opt_out: "Se retirer",
    report: "Rapport",
    opt_in: "Participer de nouveau",
    start_drill: "Lancer un exercice",
    stop_drill: "Arrêter l’exercice",
    opt_out_is: "La charge revient aussitôt, jusqu’à la fin de l’appel. Voltus n’en est pas informé : appelez-les.",
    start_drill_is: "Fait baisser vos charges réelles, sans Voltus. Il se termine de lui-même et cède la place à un véritable appel.",
    reason: "Motif",
    minutes: "Minutes",
    cancel: "Annuler",
    offline: "Pas de contact avec Voltus : ce qui est connu reste en vigueur.",
    missing: "Ce site n’existe plus. Choisissez-en un autre dans les réglages de la carte.",
    disabled: "Le capteur « Phase » de ce site est désactivé.",
    details: "Détails de {name}",
    now: "Maintenant",
    calendar: "Calendrier",
    log: "Journal",
    commitment: "Engagement",
    load: "Charge et cible (estimée)",
    load_is: "Charge {kw} kW",
    target_is: "cible {kw} kW, estimée",
    none: "Aucun compte Voltus n’est configuré.",
    card: "Site Voltus",
    card_is: "Ce que Voltus demande à un site, combien et jusqu’à quand",
    dashboard_is: "Ce que Voltus demande, chaque site, le calendrier et le journal",
  },
};

const LOOKS = {
  active: ["mdi:transmission-tower-export", "--error-color"],
  preparing: ["mdi:transmission-tower", "--warning-color"],
  scheduled: ["mdi:calendar-clock", "--info-color"],
  idle: ["mdi:check-circle-outline", "--success-color"],
  unknown: ["mdi:help-circle-outline", "--disabled-color"],
};

/* What the operator can do at a site: when it is offered, what is asked before, and the call.
   Whatever does not fit, Home Assistant refuses, and says why. */
const ACTS = {
  acknowledge: {
    offered: (site) => site.pending,
    call: (site) => [["press", { entity_id: site.button }, "button"]],
  },
  opt_out: {
    offered: (site) => site.admin && site.dispatches.length,
    asks: { name: "reason", type: "text", value: "" },
    call: (site, reason) =>
      site.dispatches.map((id) => ["opt_out", { ...of(site, id), reason }]),
  },
  opt_in: {
    offered: (site) => site.admin && site.out.length,
    call: (site) => site.out.map((id) => ["opt_in", of(site, id)]),
  },
  start_drill: {
    offered: (site) => site.admin && ["idle", "scheduled"].includes(site.phase),
    asks: { name: "minutes", type: "number", value: 20, min: 1, max: 240, required: true },
    call: (site, minutes) => [["start_drill", { ...at(site), duration: { minutes } }]],
  },
  stop_drill: {
    offered: (site) => site.admin && site.drill,
    call: (site) => [["stop_drill", { config_entry_id: site.account }]],
  },
  report: {
    offered: (site) => site.last,
    opens: (hass, site) => openReport(hass, site),
  },
};

/* The page opens at once, so that no browser takes it for an advertisement. */
async function openReport(hass, site) {
  const page = window.open("", "_blank");
  const asked = { config_entry_id: site.account, dispatch_id: site.last, format: "html" };
  const answer = await hass.callService(DOMAIN, "get_report", asked, undefined, true, true);
  page.location = hass.hassUrl(answer.response.url);
}

function at(site) {
  return { config_entry_id: site.account, site_ids: [site.id] };
}

function of(site, dispatch_id) {
  return { ...at(site), dispatch_id };
}

function text(language, key, values = {}) {
  const texts = TEXTS[(language || "en").split("-")[0]] || TEXTS.en;
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/* What is there */

function devices(hass, model) {
  return Object.values(hass.devices)
    .filter((device) => device.model === model && !device.disabled_by)
    .filter((device) => device.identifiers.some(([domain]) => domain === DOMAIN))
    .sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
}

function nameOf(device) {
  return device.name_by_user || device.name || "";
}

function accountOf(device) {
  return device.primary_config_entry || device.config_entries[0];
}

function entityOf(hass, device, key) {
  const entry = Object.values(hass.entities).find(
    (each) =>
      each.platform === DOMAIN &&
      each.device_id === device.id &&
      each.translation_key === key,
  );
  return entry && entry.entity_id;
}

function entitiesOf(hass, device, ...keys) {
  return keys.map((key) => entityOf(hass, device, key)).filter(Boolean);
}

/* The dashboard */

class VoltusDashboard extends HTMLElement {
  static noEditor = true;
  static registryDependencies = ["devices", "entities"];

  static async generate(config, hass) {
    const say = (key) => text(hass.language, key);
    const accounts = devices(hass, "Account");
    const sites = devices(hass, "Site");
    if (!accounts.length) {
      const cards = [{ type: "markdown", content: say("none") }];
      return { title: "Voltus", views: [{ title: say("now"), cards }] };
    }
    return {
      title: "Voltus",
      views: [
        nowView(hass, say, accounts, sites),
        ...sites.map((site) => siteView(hass, say, site)),
        pageView(say("calendar"), "calendar", "mdi:calendar", {
          type: "calendar",
          initial_view: "listWeek",
          entities: accounts.flatMap((each) => entitiesOf(hass, each, "dispatches")),
        }),
        pageView(say("log"), "log", "mdi:format-list-bulleted", {
          type: "logbook",
          hours_to_show: 72,
          target: { device_id: accounts.map((each) => each.id) },
        }),
      ],
    };
  }
}

function nowView(hass, say, accounts, sites) {
  return {
    title: say("now"),
    path: "now",
    icon: "mdi:home-lightning-bolt",
    type: "sections",
    max_columns: 2,
    sections: [
      ...accounts.map((account) => ({
        type: "grid",
        column_span: 2,
        cards: [
          heading(hass, account),
          ...sites
            .filter((site) => accountOf(site) === accountOf(account))
            .map((site) => ({ type: `custom:${CARD}`, device: site.id })),
        ],
      })),
      { type: "grid", column_span: 2, cards: [graph(hass, say, sites)] },
    ],
  };
}

function heading(hass, account) {
  const badges = entitiesOf(hass, account, "connection", "active_dispatches");
  return {
    type: "heading",
    heading: nameOf(account),
    icon: "mdi:transmission-tower",
    badges: badges.map((entity) => ({ type: "entity", entity, show_state: true })),
  };
}

function siteView(hass, say, site) {
  const own = Object.values(hass.entities)
    .filter((each) => each.platform === DOMAIN && each.device_id === site.id)
    .filter((each) => !each.hidden && !each.entity_category)
    .map((each) => ({
      type: "tile",
      entity: each.entity_id,
      name: { type: "entity" },
      grid_options: { columns: 6 },
    }));
  return {
    title: nameOf(site),
    path: `site-${site.id}`,
    type: "sections",
    max_columns: 2,
    sections: [
      {
        type: "grid",
        cards: [
          { type: `custom:${CARD}`, device: site.id },
          ...loadGraph(hass, say, site),
          graph(hass, say, [site]),
        ],
      },
      { type: "grid", cards: own },
    ],
  };
}

function pageView(title, path, icon, card) {
  return { title, path, icon, type: "panel", cards: [card] };
}

/* Load and target in one graph, where the performance of a site is estimated. */
function loadGraph(hass, say, site) {
  const entities = entitiesOf(hass, site, "load", "target_load", "baseline");
  return entities.length
    ? [
        {
          type: "history-graph",
          title: say("load"),
          hours_to_show: 4,
          grid_options: { columns: "full", rows: 5 },
          entities: entities.map((entity) => ({ entity, name: { type: "entity" } })),
        },
      ]
    : [];
}

function graph(hass, say, sites) {
  return {
    type: "history-graph",
    title: say("commitment"),
    hours_to_show: 24,
    min_y_axis: 0,
    grid_options: { columns: "full", rows: 5 },
    entities: sites.flatMap((device) =>
      entitiesOf(hass, device, "commitment").map((entity) => ({
        entity,
        name: nameOf(device),
      })),
    ),
  };
}

/* The card of one site */

const STYLE = `
  ha-card { height: 100%; box-sizing: border-box; padding: 16px; display: flex;
    flex-direction: column; gap: 4px; border-inline-start: 6px solid var(--phase-color); }
  header { display: flex; align-items: center; gap: 12px; }
  ha-icon { color: var(--phase-color); --mdc-icon-size: 32px; flex: none; }
  button { all: unset; cursor: pointer; font-weight: 500; min-height: 24px; }
  header button { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  footer { display: flex; flex-wrap: wrap; gap: 8px; margin-top: auto; padding-top: 8px;
    min-height: 34px; }
  footer button, dialog button { border: 1px solid var(--divider-color); border-radius: 16px;
    padding: 4px 14px; color: var(--primary-text-color); }
  dialog { border: none; border-radius: 16px; padding: 24px; max-width: 320px;
    background: var(--card-background-color); color: var(--primary-text-color); }
  dialog label { display: block; margin: 16px 0 4px; }
  dialog input { width: 100%; box-sizing: border-box; padding: 8px; font: inherit; }
  dialog form div { display: flex; flex-direction: row-reverse; gap: 8px; margin-top: 16px; }
  button:focus-visible { outline: 2px solid var(--primary-color); outline-offset: 2px; }
  .test { border: 1px solid var(--secondary-text-color); border-radius: 8px; padding: 0 8px;
    font-size: 12px; color: var(--secondary-text-color); }
  .phase { font-size: 24px; line-height: 32px; }
  .load:empty { display: none; }
  .detail, .countdown, .load { color: var(--secondary-text-color); min-height: 20px; }
  .countdown { font-variant-numeric: tabular-nums; }
  .offline, .out { color: var(--primary-text-color); font-size: 12px; min-height: 16px; }
  .out { color: var(--error-color); font-weight: 500; }
  [hidden] { display: none; }
`;

class VoltusSiteCard extends HTMLElement {
  static getStubConfig(hass) {
    const [site] = devices(hass, "Site");
    return { device: site ? site.id : "" };
  }

  static getConfigForm() {
    const filter = [{ integration: DOMAIN }];
    return { schema: [{ name: "device", selector: { device: { filter } } }] };
  }

  setConfig(config) {
    if (!config.device) {
      throw new Error("Choose the device of a site.");
    }
    this._config = config;
    this._draw();
  }

  set hass(hass) {
    this._hass = hass;
    this._draw();
  }

  getCardSize() {
    return 3;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto" };
  }

  connectedCallback() {
    this._timer = setInterval(() => this._countDown(), 1000);
    this._draw();
  }

  disconnectedCallback() {
    clearInterval(this._timer);
  }

  _draw() {
    if (!this._hass || !this._config) {
      return;
    }
    this._frame();
    const shown = this._shown();
    const [icon, color] = LOOKS[shown.phase];
    this.shadowRoot.host.style.setProperty("--phase-color", `var(${color})`);
    this._parts.icon.setAttribute("icon", icon);
    this._parts.name.setAttribute("aria-label", this._say("details", shown));
    for (const part of ["name", "title", "detail", "load", "offline", "out"]) {
      put(this._parts[part], shown[part]);
    }
    this._parts.test.hidden = !shown.mark;
    put(this._parts.test, shown.mark ? this._say(shown.mark) : "");
    for (const button of this._parts.footer.children) {
      button.hidden = !shown.site || !ACTS[button.dataset.act].offered(shown.site);
      put(button, this._say(button.dataset.act));
    }
    this._target = shown.target;
    this._counting = shown.counting;
    this._countDown();
  }

  _frame() {
    if (this.shadowRoot) {
      return;
    }
    this.attachShadow({ mode: "open" }).innerHTML = `
      <style>${STYLE}</style>
      <ha-card>
        <header><ha-icon></ha-icon><button></button><span class="test"></span></header>
        <div class="phase" role="status"></div>
        <div class="detail"></div>
        <div class="countdown" aria-hidden="true"></div>
        <div class="load"></div>
        <div class="offline"></div>
        <div class="out"></div>
        <footer></footer>
      </ha-card>
      <dialog aria-labelledby="what">
        <form method="dialog">
          <b id="what"></b>
          <p></p>
          <label for="asked"></label>
          <input id="asked">
          <div><button value="yes"></button><button value="" formnovalidate></button></div>
        </form>
      </dialog>`;
    const part = (selector) => this.shadowRoot.querySelector(selector);
    this._parts = {
      icon: part("ha-icon"),
      name: part("button"),
      test: part(".test"),
      title: part(".phase"),
      detail: part(".detail"),
      countdown: part(".countdown"),
      load: part(".load"),
      offline: part(".offline"),
      out: part(".out"),
      footer: part("footer"),
      dialog: part("dialog"),
    };
    this._parts.footer.append(...Object.keys(ACTS).map((act) => this._button(act)));
    this._parts.name.addEventListener("click", () => this._showDetails());
  }

  /* What there is to see of the site: nothing here touches the page. */
  _shown() {
    const device = this._hass.devices[this._config.device];
    const blank = { phase: "unknown", name: "", detail: "", load: "", offline: "", out: "" };
    if (!device) {
      return { ...blank, title: this._say("unknown"), detail: this._say("missing") };
    }
    const state = (key) => this._hass.states[entityOf(this._hass, device, key)];
    const value = (key) => known(state(key));
    const phase = value("phase") in LOOKS ? value("phase") : "unknown";
    const curtail = state("curtail");
    const curtailing = phase === "active" || phase === "preparing";
    const target = value(curtailing ? "curtailment_end" : "next_start");
    return {
      ...blank,
      phase,
      name: nameOf(device),
      title: this._say(phase),
      detail: this._detail(phase, value("commitment"), target, state("phase")),
      target: target && new Date(target),
      counting: curtailing ? "left" : "in",
      mark: curtail && ["drill", "test"].find((each) => curtail.attributes[each]),
      load: this._load(value("load"), value("target_load")),
      offline: this._isCutOff(device) ? this._say("offline") : "",
      out: curtail && curtail.attributes.opted_out?.length ? this._say("out") : "",
      site: this._site(device, phase, state),
    };
  }

  /* What the acts go by. */
  _site(device, phase, state) {
    const attributes = state("curtail")?.attributes || {};
    const account = accountOf(device);
    const [, identifier] = device.identifiers.find(([domain]) => domain === DOMAIN);
    return {
      account,
      phase,
      id: identifier.slice(account.length + 1),
      admin: Boolean(this._hass.user?.is_admin),
      drill: Boolean(attributes.drill),
      dispatches: attributes.dispatch_ids || [],
      out: attributes.opted_out || [],
      pending: state("acknowledgement_pending")?.state === "on",
      button: entityOf(this._hass, device, "acknowledge"),
      last: this._lastDispatch(device, attributes.dispatch_ids || []),
    };
  }

  /* The dispatch that is on at the site, else the one of which was told last. */
  _lastDispatch(device, [current]) {
    const account = this._account(device);
    const event = account && this._hass.states[entityOf(this._hass, account, "dispatch")];
    return current || event?.attributes.dispatch_id;
  }

  _account(device) {
    return devices(this._hass, "Account").find((each) => accountOf(each) === accountOf(device));
  }

  _button(act) {
    const button = document.createElement("button");
    button.dataset.act = act;
    button.addEventListener("click", () => this._act(act));
    return button;
  }

  async _act(act) {
    const { asks, call, opens } = ACTS[act];
    const { site } = this._shown();
    if (opens) {
      await opens(this._hass, site);
      return;
    }
    const answer = asks ? await this._ask(act, asks) : "";
    if (answer === undefined) {
      return;
    }
    for (const [service, data, domain = DOMAIN] of call(site, answer)) {
      await this._hass.callService(domain, service, data);
    }
  }

  /* Ask before something is done that cannot be undone by looking away. */
  _ask(act, { name, ...input }) {
    const { dialog } = this._parts;
    const [yes, no] = dialog.querySelectorAll("button");
    const field = dialog.querySelector("input");
    put(dialog.querySelector("b"), this._say(act));
    put(dialog.querySelector("p"), this._say(`${act}_is`));
    put(dialog.querySelector("label"), this._say(name));
    put(no, this._say("cancel"));
    put(yes, this._say(act));
    Object.assign(field, { min: "", max: "", required: false }, input);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      const done = () =>
        resolve(
          dialog.returnValue
            ? input.type === "number" ? field.valueAsNumber : field.value
            : undefined,
        );
      dialog.addEventListener("close", done, { once: true });
    });
  }

  _detail(phase, amount, target, sensor) {
    if (phase === "unknown") {
      return sensor ? "" : this._say("disabled");
    }
    if (phase === "idle") {
      return "";
    }
    const time = target && this._time(new Date(target));
    if (phase === "scheduled") {
      return time ? this._say("starts", { time }) : "";
    }
    const kw = amount && this._number(Number(amount));
    const depth = kw ? this._say("amount", { kw }) : this._say("plan");
    return `${depth}, ${time ? this._say("until", { time }) : this._say("open")}`;
  }

  /* Empty where the performance of the site is not estimated. */
  _load(load, target) {
    if (load === undefined) {
      return "";
    }
    const said = this._say("load_is", { kw: this._number(Number(load)) });
    const aim = target && this._say("target_is", { kw: this._number(Number(target)) });
    return aim ? `${said}, ${aim}` : said;
  }

  _isCutOff(device) {
    const account = this._account(device);
    const entity = account && entityOf(this._hass, account, "connection");
    const state = entity && this._hass.states[entity];
    return Boolean(state && state.state === "off");
  }

  _countDown() {
    if (!this._parts) {
      return;
    }
    const seconds = this._target ? Math.ceil((this._target - Date.now()) / 1000) : 0;
    const said = seconds > 0 ? this._say(this._counting, { span: span(seconds) }) : "";
    put(this._parts.countdown, said);
  }

  _showDetails() {
    const device = this._hass.devices[this._config.device];
    const entityId = device && entityOf(this._hass, device, "curtail");
    if (entityId) {
      const detail = { entityId };
      const event = new CustomEvent("hass-more-info", { detail, bubbles: true, composed: true });
      this.dispatchEvent(event);
    }
  }

  _say(key, values) {
    return text(this._hass.language, key, values);
  }

  _number(value) {
    return new Intl.NumberFormat(this._hass.language, { maximumFractionDigits: 1 }).format(value);
  }

  _time(instant) {
    const { locale, config, language } = this._hass;
    const timeZone = locale.time_zone === "server" ? config.time_zone : undefined;
    const day = (date) => date.toLocaleDateString(language, { timeZone });
    const format = { timeZone, hour: "numeric", minute: "2-digit" };
    if (locale.time_format === "12" || locale.time_format === "24") {
      format.hour12 = locale.time_format === "12";
    }
    if (day(instant) !== day(new Date())) {
      Object.assign(format, { weekday: "short", day: "numeric", month: "short" });
    }
    return new Intl.DateTimeFormat(language, format).format(instant);
  }
}

function known(state) {
  return state && !["unknown", "unavailable"].includes(state.state) ? state.state : undefined;
}

/* A page reader hears only what is new. */
function put(element, said) {
  if (element.textContent !== said) {
    element.textContent = said;
  }
}

function span(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const clock = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return `${days ? `${days} d ` : ""}${days || hours ? `${hours}:` : ""}${clock}`;
}

if (!customElements.get(CARD)) {
  customElements.define(CARD, VoltusSiteCard);
  customElements.define(`ll-strategy-dashboard-${DOMAIN}`, VoltusDashboard);
  (window.customStrategies ||= []).push({
    type: DOMAIN,
    strategyType: "dashboard",
    name: "Voltus",
    description: text(navigator.language, "dashboard_is"),
  });
  (window.customCards ||= []).push({
    type: CARD,
    name: text(navigator.language, "card"),
    description: text(navigator.language, "card_is"),
    preview: true,
    getEntitySuggestion: (hass, entityId) => {
      const entry = hass.entities[entityId];
      const ours = entry && entry.platform === DOMAIN && entry.translation_key === "curtail";
      const device = ours && hass.devices[entry.device_id];
      return device && device.model === "Site"
        ? { config: { type: `custom:${CARD}`, device: device.id } }
        : null;
    },
  });
}
