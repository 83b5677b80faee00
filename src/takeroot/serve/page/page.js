"use strict";
// The page: pick a model, type a text, see the answer. Everything shown is set as text, never as HTML.

const WORDS = {
  en: {
    docs: "API", model: "Model", token: "Token, if the server asks for one", go: "Answer",
    texts: "Text, or several, one a line",
    pairs: "Two texts a line, with a tab or | between them",
    prompt: "Prompt", source: "Text", stop: "Stop", stopped: "stopped", max_tokens: "cut at its limit",
    wrote: (n, ms) => `${n} tokens in ${ms} ms`,
    asking: "Answering …", out_of_scope: "out of scope", empty_text: "nothing to read",
    abstained: "No answer", none: "none", nothing: "nothing found", version: "version",
    took: (n, ms) => `${n} ${n === 1 ? "text" : "texts"} in ${ms} ms`,
    because: (words, reason) => `${words}: ${reason}`,
    no_models: "The server shows no model. If it asks for a token, enter it.",
    offline: "The server cannot be reached.",
    busy: "The server has all the work it can hold. Try again in a moment.",
    unauthenticated: "The server needs a valid token.",
    forbidden: "The token does not allow this.",
    unknown_model: "This model is no longer served. The list above is up to date: ask again.",
    broken_pair: (line) => `Line ${line} needs two texts, with a tab or | between them.`,
    request: "request",
  },
  zh: {
    docs: "接口", model: "模型", token: "令牌（服务器要求时填写）", go: "预测",
    texts: "输入文本；多条文本每行一条",
    pairs: "每行两段文本，用制表符或 | 隔开",
    prompt: "提示语", source: "原文", stop: "停止", stopped: "已停止", max_tokens: "达到长度上限",
    wrote: (n, ms) => `生成 ${n} 个词元，用时 ${ms} 毫秒`,
    asking: "预测中……", out_of_scope: "超出范围", empty_text: "没有可读的内容",
    abstained: "不作答", none: "无", nothing: "没有找到实体", version: "版本",
    took: (n, ms) => `${n} 条，用时 ${ms} 毫秒`,
    because: (words, reason) => `${words}：${reason}`,
    no_models: "服务器没有列出模型。如需令牌，请先填写。",
    offline: "无法连接服务器。",
    busy: "服务器已满负荷，请稍后再试。",
    unauthenticated: "服务器要求有效的令牌。",
    forbidden: "该令牌无此权限。",
    unknown_model: "该模型已不再提供。上面的列表已更新，请重试。",
    too_many_inputs: "文本条数超过上限，请减少后重试。",
    text_too_long: "有一条文本过长，请缩短后重试。",
    prompt_too_long: "提示语超过模型可读的长度，请缩短后重试。",
    too_many_new_tokens: "要求生成的词元数超过上限。",
    interrupted: "生成中断，请重试。",
    body_too_large: "提交的内容过大，请减少后重试。",
    rate_limited: "请求过于频繁，请稍后再试。",
    quota_exhausted: "该令牌今日的配额已用完。",
    deadline_exceeded: "超时未得到结果，请稍后再试。",
    not_ready: "服务器尚未就绪，请稍后再试。",
    masking_failed: "无法遮盖个人信息，该文本未被使用。",
    internal: "服务器出错。",
    broken_pair: (line) => `第 ${line} 行需要两段文本，用制表符或 | 隔开。`,
    request: "请求编号",
  },
};
const SHOWN = 5; // bars of an answer
const LABELS = { pair: "pairs", generate: "prompt", seq2seq: "source" };

const at = (id) => document.getElementById(id);
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let models = [];
const say = (key) => WORDS[language][key];

function make(tag, content, name) {
  const element = document.createElement(tag);
  if (content !== undefined) element.textContent = content;
  if (name) element.className = name;
  return element;
}

function speak() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) {
    element.textContent = say(element.dataset.say);
  }
  at("language").textContent = language === "zh" ? "English" : "中文";
  at("texts-label").textContent = say(LABELS[chosen() && chosen().task] || "texts");
}

function chosen() {
  return models[at("model").selectedIndex];
}

async function call(path, body) {
  const response = await send(path, body);
  return response.json().catch(() => ({}));
}

async function send(path, body, signal) {
  const headers = {};
  if (at("token").value) headers.authorization = `Bearer ${at("token").value.trim()}`;
  if (body) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(say("offline"));
  }
  if (response.ok) return response;
  throw refused((await response.json().catch(() => ({}))).error || {}, response.status);
}

function refused(error, status) {
  const known = say(error.code === "overloaded" ? "busy" : error.code);
  const words = typeof known === "string" ? known : error.message || String(status);
  const told = new Error(`${words} (${say("request")} ${error.request_id || "?"})`);
  told.code = error.code;
  return told;
}

function fail(error) {
  at("error").textContent = error ? error.message : "";
  at("error").hidden = !error;
}

async function list() {
  try {
    models = (await call("/v1/models")).models;
    fail(null);
  } catch (error) {
    models = [];
    fail(error);
  }
  at("model").replaceChildren(
    ...models.map((model) => make("option", `${model.name} · ${model.version} · ${model.task}`)),
  );
  speak();
}

function read(model) {
  const lines = at("texts").value.split("\n").filter((line) => line.trim());
  if (model.task !== "pair") return lines;
  return lines.map((line, place) => {
    const parts = line.split(line.includes("\t") ? "\t" : "|").map((part) => part.trim());
    if (parts.length !== 2) throw new Error(say("broken_pair")(place + 1));
    return parts;
  });
}

function bar(name, share) {
  const row = make("div", undefined, "bar");
  const label = make("span", name);
  label.title = name;
  const track = make("span", undefined, "track");
  const fill = make("i");
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  row.append(label, track, make("span", `${(100 * share).toFixed(1)} %`));
  return row;
}

function marked(text, entities) {
  const line = make("p");
  const points = Array.from(text); // offsets count characters, not UTF-16 units
  let end = 0;
  for (const entity of entities) {
    line.append(points.slice(end, entity.start).join(""));
    const mark = make("mark", points.slice(entity.start, entity.end).join(""));
    mark.append(make("small", `${entity.label} ${Math.round(100 * entity.confidence)} %`));
    line.append(mark);
    end = entity.end;
  }
  line.append(points.slice(end).join(""));
  return line;
}

function card(input, answer) {
  const article = make("article");
  if (answer.entities) {
    article.append(marked(input, answer.entities));
    if (!answer.entities.length) article.append(make("span", say("nothing"), "soft"));
    return article;
  }
  article.append(make("p", Array.isArray(input) ? input.join("\n") : input));
  const head = make("div", undefined, "answer");
  const label = answer.labels ? answer.labels.join(", ") || say("none") : answer.label;
  head.append(make("b", label, answer.abstained ? "soft" : ""));
  if (answer.abstained) {
    const reason = say(answer.reason) || answer.reason;
    head.append(make("span", say("because")(say("abstained"), reason), "badge"));
  }
  article.append(head);
  const ranked = Object.entries(answer.probabilities || {}).sort((a, b) => b[1] - a[1]);
  for (const [name, share] of ranked.slice(0, SHOWN)) article.append(bar(name, share));
  return article;
}

async function write(path) {
  const prompt = at("texts").value;
  const article = make("article");
  const text = make("p", "", "written");
  article.append(make("p", prompt, "soft"), text);
  at("results").replaceChildren(article);
  const leaving = new AbortController();
  at("stop").onclick = () => leaving.abort();
  at("stop").hidden = false;
  const start = performance.now();
  const body = JSON.stringify({ inputs: [prompt], options: { stream: true } });
  try {
    const response = await send(path, body, leaving.signal);
    for await (const event of events(response)) {
      if (event.error) throw refused(event.error, 200);
      if (event.text) text.append(event.text);
      if (event.predictions) finish(article, text, event, performance.now() - start);
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    at("status").textContent = say("stopped");
  } finally {
    at("stop").hidden = true;
  }
}

function finish(article, text, event, spent) {
  const [answer] = event.predictions;
  text.textContent = answer.text;
  if (answer.reason) article.append(make("span", say(answer.reason) || answer.reason, "badge"));
  at("status").textContent =
    `${say("wrote")(answer.tokens, spent.toFixed(0))} · ${event.model} · ${say("version")} ${event.version}`;
}

async function ask(event) {
  event.preventDefault();
  if (!models.length) await list();
  const model = chosen();
  if (!model) return at("error").hidden && fail(new Error(say("no_models")));
  at("go").disabled = true;
  at("status").textContent = say("asking");
  const path = `/v1/models/${encodeURIComponent(model.name)}/versions/${model.version}/predict`;
  try {
    if (model.writes) {
      await write(path);
      return fail(null);
    }
    const inputs = read(model);
    const body = JSON.stringify({ inputs, options: { top_k: SHOWN } });
    const start = performance.now();
    const found = await call(path, body);
    const spent = (performance.now() - start).toFixed(0);
    at("results").replaceChildren(...found.predictions.map((each, k) => card(inputs[k], each)));
    at("status").textContent =
      `${say("took")(inputs.length, spent)} · ${found.model} · ${say("version")} ${found.version}`;
    fail(null);
  } catch (error) {
    at("status").textContent = "";
    if (!model.writes) at("results").replaceChildren();
    if (error.code === "unknown_model") await list();
    fail(error);
  } finally {
    at("go").disabled = false;
  }
}

at("ask").addEventListener("submit", ask);
at("texts").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});
at("token").addEventListener("change", list);
at("model").addEventListener("change", speak);
at("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  speak();
});
list();
