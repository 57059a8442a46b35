"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const audio = find("audio");
  const tracks = JSON.parse(find("tracks").textContent);
  const sentences = [...document.querySelectorAll("article a")].map((link) => ({
    link, track: Number(link.dataset.track), start: Number(link.dataset.start), end: Number(link.dataset.end),
    chapter: Number(link.dataset.chapter),
  }));
  const chapters = [...document.querySelectorAll("nav button")];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let track = -1;
  let current = -1;
  let pending = null;

  const load = (index) => {
    track = index;
    audio.replaceChildren(...tracks[index].sources.map((source) => {
      const element = document.createElement("source");
      element.src = source.src;
      element.type = source.type;
      return element;
    }));
    audio.lastChild.addEventListener("error", () => { find("error").textContent = "音声を読み込めません。"; });
    audio.load();
    audio.playbackRate = Number(find("rate").value);
  };

  const seek = (index, seconds, play) => {
    if (index !== track) {
      pending = { seconds, play };
      load(index);
    } else if (audio.readyState === 0) {
      pending = { seconds, play };
    } else {
      audio.currentTime = seconds;
      if (play) start();
    }
  };

  const start = () => { audio.play().catch((error) => {
    // Another seek or a pause came in between; anything else is worth saying.
    if (error.name !== "AbortError") find("error").textContent = "再生できません。";
  }); };

  const toggle = () => { if (audio.paused) start(); else audio.pause(); };

  // The last sentence of the track that has begun.
  const sentenceAt = (seconds) => {
    let low = 0;
    let high = sentences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const one = sentences[middle];
      if (one.track < track || (one.track === track && one.start <= seconds + 0.01)) low = middle + 1;
      else high = middle;
    }
    const found = low - 1;
    return found >= 0 && sentences[found].track === track ? found : -1;
  };

  const show = (index) => {
    if (index === current) return;
    if (current >= 0) sentences[current].link.removeAttribute("aria-current");
    const before = current >= 0 ? sentences[current].chapter : -1;
    current = index;
    if (index < 0) return;
    const { link, chapter } = sentences[index];
    link.setAttribute("aria-current", "true");
    enter(index);
    if (find("follow").checked && !audio.paused) {
      link.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
    }
    if (chapter !== before && chapters.length) {
      chapters.forEach((button, number) => {
        if (number === chapter) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      });
      find("status").textContent = chapters[chapter].firstElementChild.textContent;
    }
  };

  // One sentence is in the tab order: the one that was spoken or chosen last.
  let entry = -1;
  const enter = (index) => {
    if (entry >= 0) sentences[entry].link.tabIndex = -1;
    entry = index;
    sentences[entry].link.tabIndex = 0;
  };

  const goTo = (index, play) => {
    const one = sentences[Math.min(Math.max(index, 0), sentences.length - 1)];
    seek(one.track, one.start, play);
  };

  const focused = () => sentences.findIndex((one) => one.link === document.activeElement);

  const step = (by) => {
    const at = focused();
    if (at < 0) { goTo((current < 0 ? -by : current) + by, !audio.paused); return; }
    const to = Math.min(Math.max(at + by, 0), sentences.length - 1);
    enter(to);
    sentences[to].link.focus();
  };

  audio.addEventListener("loadedmetadata", () => {
    if (!pending) return;
    const { seconds, play } = pending;
    pending = null;
    audio.currentTime = seconds;
    if (play) start();
  });
  const update = () => { if (!pending) show(sentenceAt(audio.currentTime)); };
  const tick = () => { update(); if (!audio.paused) requestAnimationFrame(tick); };
  audio.addEventListener("timeupdate", update);
  audio.addEventListener("seeked", update);
  audio.addEventListener("play", () => { find("toggle").textContent = "停止"; tick(); });
  audio.addEventListener("pause", () => { find("toggle").textContent = "再生"; remember(); });
  audio.addEventListener("ended", () => { if (track + 1 < tracks.length) seek(track + 1, 0, true); else forget(); });
  addEventListener("pagehide", () => { if (!pending) remember(); });

  // Where the listener stopped, for the next time; a browser may keep nothing.
  const shelf = `koebin ${location.href.split("#")[0]}`;
  const shelved = (act) => { try { return act(localStorage); } catch { return null; } };
  const remember = () => { if (!audio.ended) shelved((kept) => kept.setItem(shelf, `${track} ${audio.currentTime}`)); };
  const forget = () => { shelved((kept) => kept.removeItem(shelf)); };
  const remembered = () => {
    const [index, seconds] = (shelved((kept) => kept.getItem(shelf)) || "").split(" ").map(Number);
    return index < tracks.length && seconds > 0 ? { index, seconds } : null;
  };

  document.querySelector("article").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const index = sentences.findIndex((one) => one.link === link);
    enter(index);
    goTo(index, true);
    history.replaceState(null, "", link.hash);
  });
  chapters.forEach((button) => button.addEventListener("click", () => {
    seek(Number(button.dataset.track), Number(button.dataset.start), true);
  }));
  find("toggle").addEventListener("click", toggle);
  find("previous").addEventListener("click", () => goTo(current - 1, !audio.paused));
  find("next").addEventListener("click", () => goTo(current + 1, !audio.paused));
  find("rate").addEventListener("change", () => { audio.playbackRate = Number(find("rate").value); });

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("audio, select, input, textarea")) return;
    const onButton = event.target.closest("button") !== null;
    const actions = {
      " ": onButton ? null : toggle,
      ArrowLeft: () => { audio.currentTime = Math.max(0, audio.currentTime - 5); },
      ArrowRight: () => { audio.currentTime = Math.min(audio.duration || 0, audio.currentTime + 5); },
      ArrowUp: () => step(-1),
      ArrowDown: () => step(1),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  const linked = sentences.findIndex((one) => one.link.hash === location.hash);
  const stopped = linked < 0 ? remembered() : null;
  load(linked >= 0 ? sentences[linked].track : stopped ? stopped.index : 0);
  if (sentences.length) {
    enter(Math.max(linked, 0));
    if (linked >= 0) goTo(linked, false);
  }
  if (stopped) seek(stopped.index, stopped.seconds, false);
})();
