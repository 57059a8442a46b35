"use strict";
(() => {
  const words = {
    ja: {
      skip: "本文へ", key_title: "鍵", key_label: "鍵を入力してください", enter: "入る", work_title: "話す", text_label: "文章",
      text_help: "文章を書くか貼り付けるか、ファイルを置いてください。",
      file_label: "またはファイル（テキスト、Markdown、EPUB、SSML、JSONL、会話）", voice_label: "声", speed_label: "速さ",
      format_label: "形式", listen: "すぐ聞く", make: "ファイルを作る", jobs_title: "仕事", none: "まだありません。", other: "English",
      speaking: "話しています…", spoken: "話し終えました。", sending: "送っています…", sent: "仕事を受け付けました。",
      nothing: "文章がありません。", wrong_key: "その鍵は知りません。", no_voice: "話せる声がありません。ワーカーを起動してください。",
      failed: "うまくいきません: ", broken: "途中で切れました。", cancel: "やめる", download: "保存", progress: "進み具合", left: "残り約",
      seconds: "秒", RUNNING: "作成中", ASSEMBLING: "仕上げ中", SUCCEEDED: "完成", PARTIAL: "一部完成", FAILED: "失敗", CANCELLED: "中止",
      chosen: "選択: ", untitled: "無題",
    },
    en: {
      skip: "Skip to the text", key_title: "Key", key_label: "Enter your key", enter: "Enter", work_title: "Speak", text_label: "Text",
      text_help: "Write or paste a text, or drop a file.",
      file_label: "Or a file (text, Markdown, EPUB, SSML, JSONL, dialogue)", voice_label: "Voice", speed_label: "Speed",
      format_label: "Format", listen: "Listen now", make: "Make a file", jobs_title: "Jobs", none: "None yet.", other: "日本語",
      speaking: "Speaking…", spoken: "Spoken.", sending: "Sending…", sent: "The job is accepted.",
      nothing: "There is no text.", wrong_key: "That key is not known.", no_voice: "No voice is there. Start a worker.",
      failed: "It failed: ", broken: "It broke off.", cancel: "Cancel", download: "Download", progress: "Progress", left: "about",
      seconds: "s left", RUNNING: "in work", ASSEMBLING: "assembling", SUCCEEDED: "done", PARTIAL: "partly done", FAILED: "failed",
      CANCELLED: "cancelled", chosen: "Chosen: ", untitled: "Untitled",
    },
  };
  const $ = (id) => document.getElementById(id);
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows keep nothing */ } };
  let language = kept("language") || (navigator.language.startsWith("ja") ? "ja" : "en");
  let file = null;
  let said = null;
  let timer = 0;
  const known = new Map();

  const t = (name) => words[language][name] || name;

  function translate() {
    document.documentElement.lang = language;
    for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
    $("language").textContent = t("other");
    $("language").lang = language === "ja" ? "en" : "ja";
    if (said) tell(...said);
    showFile();
    known.clear();
    $("jobs").replaceChildren();
    refresh();
  }

  function tell(name, detail = "", bad = false) {
    said = [name, detail, bad];
    $("message").textContent = t(name) + detail;
    $("message").classList.toggle("bad", bad);
  }

  // A button that is disabled loses the focus, and whoever uses the keyboard their place.
  function busy(id, yes) { $(id).setAttribute("aria-disabled", String(yes)); }

  function isBusy(id) { return $(id).getAttribute("aria-disabled") === "true"; }

  async function ask(path, options = {}) {
    const answer = await fetch(path, { credentials: "same-origin", ...options });
    if (answer.ok) return answer;
    if (answer.status === 401) { $("entry").hidden = false; $("key").focus(); }
    let detail = String(answer.status);
    try {
      const told = await answer.json();
      detail = told.detail || told.error?.message || detail;
    } catch { /* no words came with it */ }
    throw new Error(detail);
  }

  async function voices() {
    const found = (await (await ask("/v1/audio/voices")).json()).voices;
    const chosen = $("voice").value || kept("voice");
    $("voice").replaceChildren(...found.map(({ id, name }) => new Option(name, id, false, id === chosen)));
    if (!found.length) tell("no_voice", "", true);
  }

  function showFile() { $("file-name").textContent = file ? t("chosen") + file.name : ""; }

  function take(list) {
    file = list && list.length ? list[0] : null;
    showFile();
  }

  async function listen() {
    const input = $("text").value.trim();
    if (isBusy("listen")) return undefined;
    if (!input) return tell("nothing", "", true);
    busy("listen", true);
    tell("speaking");
    try {
      const body = { input, voice: $("voice").value, speed: Number($("speed").value) || 1, response_format: "mp3" };
      const answer = await ask("/v1/audio/speech", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      $("sound").hidden = false;
      await (window.MediaSource && MediaSource.isTypeSupported("audio/mpeg") ? playParts(answer) : playWhole(answer));
      tell("spoken");
    } catch (error) {
      tell("failed", error.message, true);
    } finally {
      busy("listen", false);
    }
  }

  function play(url) {
    const before = $("sound").src;
    $("sound").src = url;
    if (before.startsWith("blob:")) URL.revokeObjectURL(before);
    $("sound").play().catch(() => { /* the browser wants a press on its own button */ });
  }

  async function playWhole(answer) { play(URL.createObjectURL(await answer.blob())); }

  async function playParts(answer) {
    const source = new MediaSource();
    play(URL.createObjectURL(source));
    await new Promise((done) => source.addEventListener("sourceopen", done, { once: true }));
    const buffer = source.addSourceBuffer("audio/mpeg");
    const reader = answer.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        buffer.appendBuffer(value);
        await new Promise((ready) => buffer.addEventListener("updateend", ready, { once: true }));
      }
    } catch (error) {
      throw new Error(t("broken"));
    } finally {
      if (source.readyState === "open") source.endOfStream();
    }
  }

  async function make(event) {
    event.preventDefault();
    const text = $("text").value.trim();
    if (isBusy("make")) return undefined;
    if (!file && !text) return tell("nothing", "", true);
    busy("make", true);
    tell("sending");
    try {
      const options = { speaker: $("voice").value.split(":")[0], formats: [$("format").value], options: {} };
      const style = $("voice").value.split(":")[1];
      if (style) options.options.style = style;
      options.options.speed = Number($("speed").value) || 1;
      let request;
      if (file) {
        request = { method: "POST", body: new FormData() };
        request.body.append("file", file, file.name);
        request.body.append("options", JSON.stringify(options));
      } else {
        options.text = text;
        options.title = text.slice(0, 40);
        request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(options) };
      }
      await ask("/v1/jobs", request);
      tell("sent");
      take(null);
      $("file").value = "";
      refresh();
    } catch (error) {
      tell("failed", error.message, true);
    } finally {
      busy("make", false);
    }
  }

  async function refresh() {
    clearTimeout(timer);
    let pause = 5000;
    try {
      const { jobs } = await (await ask("/v1/jobs?limit=50")).json();
      $("none").hidden = jobs.length > 0;
      for (const job of [...jobs].reverse()) await show(job);
      for (const [id, row] of known) if (!jobs.some((job) => job.id === id)) { row.remove(); known.delete(id); }
      if (jobs.some((job) => ["RUNNING", "ASSEMBLING"].includes(job.state))) pause = 1000;
    } catch { /* the next look may find it */ }
    timer = setTimeout(refresh, pause);
  }

  function element(name, content, attributes = {}) {
    const made = document.createElement(name);
    if (content) made.textContent = content;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  async function show(job) {
    let row = known.get(job.id);
    const ended = !["RUNNING", "ASSEMBLING"].includes(job.state);
    if (!row) {
      row = element("li", "", { tabindex: "-1" });
      row.append(element("div", job.title || t("untitled"), { class: "title" }), element("div", "", { class: "state" }));
      const bar = element("progress", "", { max: "1", "aria-label": t("progress") });
      const cancel = element("button", t("cancel"), { type: "button", "aria-label": `${t("cancel")}: ${job.title || t("untitled")}` });
      cancel.addEventListener("click", () => ask(`/v1/jobs/${job.id}`, { method: "DELETE" }).then(refresh, () => {}));
      row.append(bar, cancel);
      known.set(job.id, row);
      $("jobs").prepend(row);
    }
    const left = job.eta_seconds ? ` ${t("left")} ${Math.ceil(job.eta_seconds)} ${t("seconds")}` : "";
    const state = `${t(job.state)} ${Math.round(job.progress * 100)}%${ended ? "" : left} ${job.waiting || job.error}`.trim();
    const line = row.querySelector(".state");
    if (line.textContent !== state) line.textContent = state;
    const bar = row.querySelector("progress");
    if (bar) bar.value = job.progress;
    if (!ended || row.dataset.ended) return;
    row.dataset.ended = job.state;
    if (row.contains(document.activeElement)) row.focus();
    bar?.remove();
    row.querySelector("button")?.remove();
    const whole = await (await ask(`/v1/jobs/${job.id}`)).json();
    for (const made of whole.files) row.append(fileRow(made));
    if (document.activeElement === row) row.querySelector("a, audio")?.focus();
  }

  function fileRow(made) {
    const row = element("div", "", { class: "file" });
    if (made.kind === "audio") row.append(element("audio", "", { controls: "", preload: "none", src: made.url, "aria-label": made.name }));
    row.append(element("a", `${t("download")}: ${made.name}`, { href: made.url, download: made.name.split("/").pop() }));
    return row;
  }

  $("language").addEventListener("click", () => {
    language = language === "ja" ? "en" : "ja";
    keep("language", language);
    translate();
  });
  $("voice").addEventListener("change", () => keep("voice", $("voice").value));
  $("listen").addEventListener("click", listen);
  $("form").addEventListener("submit", make);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) listen();
  });
  $("file").addEventListener("change", () => take($("file").files));
  $("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: $("key").value }) });
      $("key").value = "";
      $("entry").hidden = true;
      $("text").focus();
      start();
    } catch { tell("wrong_key", "", true); }
  });
  for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    if (name === "drop") take(event.dataTransfer.files);
  });

  function start() {
    voices().catch((error) => { if ($("entry").hidden) tell("failed", error.message, true); });
    refresh();
  }
  translate();
  start();
})();
