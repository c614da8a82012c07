// Controls for the plain <video>. Without this module the browser's own
// controls stay.

const room = document.querySelector("[data-player]");
if (room) start(room);

function start(room) {
  const video = room.querySelector("video");
  const find = (what) => room.querySelector(`[data-${what}]`);
  const button = (act) => room.querySelector(`[data-act="${act}"]`);
  const seek = find("seek"), time = find("time"), problem = find("problem"), cover = button("play");
  const marks = [...room.querySelectorAll("[data-mark]")].map((b) => ({ at: Number(b.dataset.mark), button: b }));
  let frame = 1 / 30; // seconds; measured while playing
  let seeking = false;

  video.controls = false;
  video.tabIndex = -1;
  cover.hidden = false;
  find("console").hidden = false;

  const length = () => (Number.isFinite(video.duration) ? video.duration : 0);
  const go = (to) => {
    const target = Math.max(0, Math.min(to, length() || to));
    if (video.readyState === 0) {
      video.addEventListener("loadedmetadata", () => { video.currentTime = target; }, { once: true });
      begin();
      return;
    }
    video.currentTime = target;
  };
  const begin = () => {
    const covered = document.activeElement === cover;
    cover.hidden = true;
    problem.hidden = true;
    if (covered) button("toggle").focus();
    return video.play().catch(() => {});
  };
  const toggle = () => (video.paused ? begin() : video.pause());
  const step = (by) => { video.pause(); go(video.currentTime + by); };
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : room.querySelector(".screen").requestFullscreen?.());
  const nextMark = () => {
    const after = marks.find((m) => m.at > video.currentTime + 0.25) ?? marks[0];
    if (after) go(after.at);
  };

  const acts = {
    play: begin, toggle, full,
    back: () => go(video.currentTime - 5),
    ahead: () => go(video.currentTime + 5),
    "frame-back": () => step(-frame),
    "frame-ahead": () => step(frame),
    mute: () => { video.muted = !video.muted; },
  };
  for (const [act, run] of Object.entries(acts)) button(act).addEventListener("click", run);
  for (const mark of marks) mark.button.addEventListener("click", () => go(mark.at));
  video.addEventListener("click", toggle);
  find("speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });

  seek.addEventListener("input", () => { seeking = true; show(); });
  seek.addEventListener("change", () => { seeking = false; go((seek.value / seek.max) * length()); });

  const keys = {
    " ": toggle, k: toggle, ArrowLeft: acts.back, ArrowRight: acts.ahead, ",": acts["frame-back"], ".": acts["frame-ahead"],
    m: nextMark, f: full,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea, button, a, summary") && (event.target !== seek || event.key.startsWith("Arrow"))) return;
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });

  function show() {
    const all = length();
    const at = seeking ? (seek.value / seek.max) * all : video.currentTime;
    seek.disabled = all === 0;
    if (!seeking && all) seek.value = (at / all) * seek.max;
    const text = `${stamp(at)} / ${all ? stamp(all) : "–:––"}`;
    if (time.textContent !== text) time.textContent = text;
    seek.setAttribute("aria-valuetext", `${stamp(at)} of ${stamp(all)}`);
  }
  function playing() {
    room.classList.toggle("playing", !video.paused);
    button("toggle").setAttribute("aria-label", video.paused ? "Play" : "Pause");
  }
  for (const event of ["timeupdate", "durationchange", "seeked"]) video.addEventListener(event, show);
  for (const event of ["play", "pause", "ended"]) video.addEventListener(event, playing);
  video.addEventListener("volumechange", () => button("mute").setAttribute("aria-pressed", String(!video.muted)));
  video.addEventListener("loadedmetadata", () => ticks(find("ticks"), marks, length()));
  video.addEventListener("play", () => { cover.hidden = true; });
  video.addEventListener("error", () => {
    problem.textContent = video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED
      ? "This recording cannot be played: the browser does not know the format, your session has ended, or the server refused it. The original can still be downloaded."
      : "Playing stopped: a part could not be read or did not equal what was checked on arrival. The custody record says more.";
    problem.hidden = false;
  });
  measure(video, (seconds) => { frame = seconds; });
  show();
}

// measure tells the smallest gap between two frames shown one after the other.
function measure(video, tell) {
  if (!video.requestVideoFrameCallback) return;
  let last = null, best = Infinity;
  video.addEventListener("seeking", () => { last = null; }); // what lies between is no frame
  const look = (_, { mediaTime, presentedFrames }) => {
    if (last && presentedFrames === last.presentedFrames + 1) {
      const gap = mediaTime - last.mediaTime;
      if (gap > 0.002 && gap < best) tell(best = gap);
    }
    last = { mediaTime, presentedFrames };
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}

function ticks(place, marks, length) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  for (const mark of marks.filter((m) => length && m.at <= length)) {
    const tick = document.createElementNS(ns, "rect");
    for (const [name, value] of [["x", `${(mark.at / length) * 100}%`], ["width", "3"], ["height", "8"], ["rx", "1.5"]]) tick.setAttribute(name, value);
    svg.append(tick);
  }
  place.replaceChildren(svg);
}

function stamp(seconds) {
  const hundredths = Math.floor(seconds * 100 + 0.5);
  const h = Math.floor(hundredths / 360000), m = Math.floor(hundredths / 6000) % 60, s = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}
