// The browser's side of the page: it keeps the chosen files, films, sends them when asked, and moves between frames.
// All words come from tbdTexts, which page.py writes from texts.py.
(() => {
  const held = []; // chosen files, kept until they are removed or cleared
  let running = []; // those of the last run, by index
  let sending = null; // the request that sends a file
  let camera = null;

  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const rightToLeft = document.documentElement.dir === "rtl";
  const apart = (value) => (rightToLeft ? `\u2068${value}\u2069` : value); // keeps its own order in such a line
  const say = (text, values = {}) => text.replace(/{(\w+)}/g, (whole, key) => apart(values[key] ?? whole));

  const local = ["localhost", "127.0.0.1", "[::1]", "::1"].includes(location.hostname);
  document.documentElement.classList.toggle("tbd-local", local);
  document.documentElement.classList.toggle("tbd-no-mcp", !tbdTexts.mcp);

  // Chosen files

  function choose(files) {
    const tooBig = [...files].filter((file) => file.size > tbdTexts.maxBytes);
    for (const file of files) if (!tooBig.includes(file) && held.length < tbdTexts.maxFiles) held.push(file);
    const over = files.length - tooBig.length > tbdTexts.maxFiles;
    problem(
      tooBig.length
        ? say(tbdTexts.tooBig, { name: tooBig[0].name, mb: tbdTexts.maxBytes / 1e6 })
        : over || held.length > tbdTexts.maxFiles ? tbdTexts.tooMany : ""
    );
    showFiles();
  }

  function problem(text) {
    const line = one(".tbd-problem");
    line.textContent = text;
    line.hidden = !text;
  }

  function showFiles() {
    const list = one(".tbd-files");
    list.hidden = !held.length;
    all("[data-url]", list).forEach((seen) => URL.revokeObjectURL(seen.dataset.url));
    list.replaceChildren(...held.map(row));
  }

  function row(file, index) {
    const item = document.createElement("li");
    const picture = preview(file, held.length === 1);
    if (picture) item.append(picture);
    const name = document.createElement("span");
    name.className = "tbd-name";
    name.dir = "auto";
    name.textContent = file.name;
    const size = document.createElement("span");
    size.className = "tbd-hint";
    size.dir = "ltr";
    size.textContent = file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "tbd-link";
    remove.textContent = "×";
    remove.setAttribute("aria-label", say(tbdTexts.remove, { name: file.name }));
    remove.onclick = () => {
      held.splice(index, 1);
      showFiles();
    };
    item.append(name, size, remove);
    return item;
  }

  function preview(file, large) {
    const kind = file.type.split("/")[0];
    if (kind !== "image" && kind !== "video") return null;
    const seen = document.createElement(kind === "image" ? "img" : "video");
    seen.dataset.url = seen.src = URL.createObjectURL(file);
    if (kind === "image") seen.alt = say(tbdTexts.preview, { name: file.name });
    else {
      seen.setAttribute("aria-label", say(tbdTexts.preview, { name: file.name }));
      seen.muted = seen.playsInline = true;
      seen.preload = "metadata";
      seen.controls = large;
    }
    seen.classList.toggle("tbd-big", large);
    seen.onerror = () => seen.remove(); // a browser cannot show all that can be analysed
    return seen;
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches(".tbd-drop input[type=file]")) {
      choose(event.target.files);
      event.target.value = "";
    }
  });
  for (const name of ["dragover", "dragleave", "drop"])
    document.addEventListener(name, (event) => {
      const target = event.target.closest?.(".tbd-drop");
      all(".tbd-drop").forEach((zone) => zone.classList.toggle("over", zone === target && name === "dragover"));
      if (!target) return;
      event.preventDefault();
      if (name === "drop") choose(event.dataTransfer.files);
    });

  // The camera

  async function film(button) {
    const box = one(".tbd-webcam");
    const picture = one("video", box);
    const act = button.dataset.webcam;
    if (act === "open") {
      try {
        camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
      } catch (error) {
        return problem(error.message);
      }
      picture.srcObject = camera;
      box.hidden = false;
      one("[data-webcam=note]", box).textContent = say(tbdTexts.webcamNote, { seconds: tbdTexts.webcamSeconds });
      await picture.play();
      return one("[data-webcam=record]", box).focus();
    }
    if (act === "record") {
      const type = ["video/webm", "video/mp4"].find((name) => MediaRecorder.isTypeSupported(name));
      const recorder = new MediaRecorder(camera, { mimeType: type });
      const parts = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => {
        choose([new File(parts, `${tbdTexts.webcamName}.${type.split("/")[1]}`, { type })]);
        closeCamera();
      };
      recorder.start();
      button.disabled = true;
      for (let left = tbdTexts.webcamSeconds; left > 0 && camera; left--) {
        one("[data-webcam=note]", box).textContent = `● ${left}`;
        await new Promise((done) => setTimeout(done, 1000));
      }
      button.disabled = false;
      return recorder.state === "inactive" || recorder.stop();
    }
    closeCamera();
  }

  function closeCamera() {
    camera?.getTracks().forEach((track) => track.stop());
    camera = null;
    one(".tbd-webcam").hidden = true;
    one("[data-webcam=open]").focus();
  }

  // Sending

  const root = () => (window.gradio_config?.root ?? "").replace(/\/$/, "");

  function send(file) {
    return new Promise((done, failed) => {
      const form = new FormData();
      form.append("files", file, file.name);
      sending = new XMLHttpRequest();
      sending.open("POST", `${root()}/gradio_api/upload`);
      sending.onload = () =>
        sending.status === 200 ? done(JSON.parse(sending.response)[0]) : failed(new Error(`${sending.status}`));
      sending.onerror = () => failed(new Error("network"));
      sending.onabort = () => failed(new Error("aborted"));
      sending.send(form);
    });
  }

  async function sendAll(files) {
    const out = [];
    try {
      for (const file of files) {
        const path = await send(file);
        out.push({ path, orig_name: file.name, size: file.size, meta: { _type: "gradio.FileData" } });
      }
      return out;
    } catch (error) {
      return { sent: out, problem: error.message };
    } finally {
      sending = null;
    }
  }

  window.tbd = {
    // Called by the page's events; each returns what the server gets in place of its inputs.
    async run(_, ...rest) {
      running = [...held];
      if (innerWidth < 768) one("#run")?.scrollIntoView({ block: "start" });
      return [await sendAll(running), ...rest];
    },
    async film(_, index) {
      const chosen = window.tbd.filmed ?? 0;
      const file = running[chosen];
      return [file ? await sendAll([file]) : null, chosen];
    },
    async save(file) {
      const url = file?.url ?? (file?.path ? `${root()}/gradio_api/file=${file.path}` : null);
      const found = url && (await fetch(url));
      if (found?.ok) download(await found.blob(), file.orig_name ?? "annotated.mp4");
      const failed = one("#status [role=alert]")?.textContent.trim();
      const made = url?.endsWith(".silent.mp4") ? tbdTexts.silent : tbdTexts.filmed;
      filmSays(found?.ok ? made : (failed ?? ""));
      return [file];
    },
    stop(...inputs) {
      sending?.abort();
      return inputs;
    },
    clear(...inputs) {
      sending?.abort();
      held.length = running.length = 0;
      problem("");
      showFiles();
      return inputs;
    },
    example(...inputs) {
      running = [];
      if (innerWidth < 768) one("#run")?.scrollIntoView({ block: "start" });
      return inputs;
    },
    shown(_, ...rest) {
      const open = one(".tbd-result[open]");
      return [open ? Number(open.dataset.index) : 0, ...rest];
    },
  };

  function filmSays(text) {
    const line = one(`.tbd-result[data-index="${window.tbd.filmed}"] .tbd-film`);
    if (line) line.textContent = text;
  }

  function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  // Frames

  function goTo(part, position) {
    const frames = all(".tbd-frame", part);
    frames.forEach((frame, index) => (frame.hidden = index !== position));
    const slider = one(".tbd-slider input", part);
    if (slider) {
      slider.value = position;
      slider.setAttribute("aria-valuetext", frames[position]?.dataset.title ?? "");
    }
    const area = one(".tbd-area", part);
    if (area) one(".tbd-mark", area).style.left = `${area.dataset.places.split(" ")[position]}%`;
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches(".tbd-slider input")) goTo(event.target.closest(".tbd-frames"), Number(event.target.value));
  });

  function large(stage) {
    const dialog = one("dialog.tbd-large");
    const copy = document.createElement("div");
    copy.className = "tbd-stage";
    copy.append(...[...stage.children].map((child) => child.cloneNode(true)));
    const words = document.createElement("p");
    words.textContent = stage.closest("figure").querySelector("figcaption").textContent;
    one("div", dialog).replaceChildren(copy, words);
    const shows = one(".tbd-heat-toggle", stage.closest(".tbd-result"))?.checked ?? true;
    dialog.classList.toggle("plain", !shows);
    dialog.showModal();
  }

  document.addEventListener("click", async (event) => {
    const target = event.target;
    const act = (selector) => target.closest(selector);
    let found;
    if ((found = act("[data-language]"))) {
      event.preventDefault(); // the address keeps what else it says
      const address = new URL(location.href);
      address.searchParams.set("language", found.dataset.language);
      location.assign(address);
    } else if ((found = act("[data-webcam]"))) film(found);
    else if ((found = act("[data-example]"))) one(`#example-${found.dataset.example}`)?.click();
    else if ((found = act(".tbd-area"))) {
      const box = found.getBoundingClientRect();
      const at = (100 * (event.clientX - box.left)) / box.width;
      const places = found.dataset.places.split(" ").map(Number);
      const nearest = places.reduce((best, place, k) => (Math.abs(place - at) < Math.abs(places[best] - at) ? k : best), 0);
      goTo(found.closest(".tbd-frames"), nearest);
    } else if ((found = act("[data-goto]"))) {
      const part = one(".tbd-frames", found.closest(".tbd-result"));
      goTo(part, Number(found.dataset.goto));
      part.scrollIntoView({ block: "start" });
    } else if ((found = act("[data-large]"))) {
      large(found.matches(".tbd-stage") ? found : one(".tbd-stage", found.closest("figure")));
    } else if ((found = act("[data-close]"))) found.closest("dialog").close();
    else if ((found = act("[data-save]"))) {
      const image = one("img", found.closest("figure"));
      download(await (await fetch(image.src)).blob(), found.dataset.save);
    } else if ((found = act("[data-copy]"))) {
      const text = one("span", found.closest(".tbd-quote")).textContent;
      await navigator.clipboard?.writeText(text).catch(() => {});
      found.textContent = tbdTexts.copied;
      setTimeout(() => (found.textContent = tbdTexts.copy), 2000);
    } else if ((found = act("[data-film]"))) {
      window.tbd.filmed = Number(found.dataset.film);
      filmSays(tbdTexts.filming);
      one("#film")?.click();
    } else if ((found = act("[data-open]"))) {
      const result = one(`.tbd-result[data-index="${found.dataset.open}"]`);
      if (result) {
        result.open = true;
        result.scrollIntoView({ block: "start" });
        one("summary", result).focus();
      }
    } else if ((found = act("a[download][href^='data:']"))) {
      event.preventDefault(); // browsers refuse to save long data addresses
      download(await (await fetch(found.href)).blob(), found.download);
    }
  });

  // What the server puts in: marks start where their frame is; the camera is offered where there is one.
  new MutationObserver(() => {
    all(".tbd-frames:not([data-ready])").forEach((part) => {
      part.dataset.ready = "";
      goTo(part, Number(part.dataset.first));
    });
    const open = one("[data-webcam=open][hidden]");
    if (open && navigator.mediaDevices && window.MediaRecorder) open.hidden = false;
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
