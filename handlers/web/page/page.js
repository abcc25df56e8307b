'use strict';
(() => {
  const byId = id => document.getElementById(id);

  // element makes an element from text and other elements, never from markup.
  function element(tag, className, ...content) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    e.append(...content);
    return e;
  }

  // visible escapes the same characters as the server, for names that the server does not send.
  function visible(text) {
    const name = element('bdi', 'name');
    for (const part of text.split(/([\p{C}\p{Zl}\p{Zp}])/u)) {
      if (/^[\p{C}\p{Zl}\p{Zp}]$/u.test(part)) {
        name.append(element('span', 'esc', '\\u' + part.codePointAt(0).toString(16).padStart(4, '0')));
      } else if (part) {
        name.append(part);
      }
    }
    return name;
  }

  function size(n) {
    if (n < 1024) return n + ' B';
    let unit = -1;
    do { n /= 1024; unit++; } while (n >= 1024 && unit < 5);
    return n.toFixed(1) + ' ' + 'KMGTPE'[unit] + 'iB';
  }

  async function copy(button) {
    const text = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // browsers offer it only over HTTPS and on localhost
      getSelection().selectAllChildren(button);
      if (!document.execCommand('copy')) return;
    }
    byId('said').textContent = 'Copied ' + text;
    button.classList.add('done');
    setTimeout(() => button.classList.remove('done'), 600);
  }

  function sum(algorithm, value) {
    return element('div', 'sum', element('span', 'alg', algorithm), ' ', element('code', '', value));
  }

  // enliven makes checksums copy on click, and shows times in the viewer's time zone.
  function enliven(root) {
    for (const code of root.querySelectorAll('.sum > code')) {
      const button = element('button', 'copy', ...code.childNodes);
      button.type = 'button';
      button.title = 'Copy';
      button.addEventListener('click', () => {
        if (getSelection().isCollapsed || !getSelection().containsNode(button, true)) copy(button);
      });
      code.append(button);
    }
    for (const time of root.querySelectorAll('time')) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      time.title = at.toString();
      time.textContent = today ? at.toLocaleTimeString() : at.toLocaleString();
    }
  }

  // The script fetches the page again and replaces the elements that changed. An element with an unchanged
  // source stays, with its focus and selection.
  const source = new WeakMap();

  function adopt(e) {
    source.set(e, e.outerHTML);
    enliven(e);
    return e;
  }

  function update(list, fresh) {
    const old = new Map();
    for (const e of list.children) {
      const s = source.get(e);
      old.set(s, [...(old.get(s) || []), e]);
    }
    const kept = [...fresh.children].map(e => old.get(e.outerHTML)?.shift() || adopt(document.importNode(e, true)));
    const stays = new Set(kept);
    for (const e of [...list.children]) if (!stays.has(e)) e.remove();
    let at = list.firstElementChild;
    for (const e of kept) {
      if (e === at) at = at.nextElementSibling;
      else list.insertBefore(e, at);
    }
  }

  let tag = '', timer = 0, asking = false;

  async function refresh() {
    clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = true;
    const live = byId('live');
    let wait = 2000;
    try {
      const response = await fetch(location.pathname, {
        cache: 'no-store', headers: tag ? {'If-None-Match': tag} : {}, signal: AbortSignal.timeout(10000),
      });
      if (response.status === 200) {
        const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
        for (const list of document.querySelectorAll('[data-live]')) {
          const now = fresh.getElementById(list.id);
          if (now) update(list, now);
        }
        for (const section of document.querySelectorAll('[data-live-hidden]')) {
          section.hidden = fresh.getElementById(section.id)?.hidden ?? true;
        }
        if (tag) wait = 1000;
        tag = response.headers.get('ETag') || '';
      } else if (response.status !== 304) {
        throw new Error('status ' + response.status);
      }
      live.className = 'on';
      say(live, byId('work-section').hidden ? 'waiting for work' : 'working');
    } catch {
      wait = 5000;
      live.className = 'off';
      say(live, 'no connection, trying again');
    }
    asking = false;
    timer = setTimeout(refresh, wait);
  }

  // say changes a text only if it differs, because screen readers read every change aloud.
  function say(e, text) {
    if (e.textContent !== text) e.textContent = text;
  }

  for (const e of document.querySelectorAll('[data-live] > *')) source.set(e, e.outerHTML);
  enliven(document);
  if (byId('live')) {
    document.addEventListener('visibilitychange', refresh);
    refresh();
  }

  // Uploads run one after the other, so that each has the whole bandwidth.
  const queue = [];
  let uploading = false;

  function enqueue(files) {
    for (const file of files) {
      const bar = element('progress');
      bar.max = 1;
      bar.value = 0;
      bar.setAttribute('aria-label', 'uploaded so far');
      const row = element('li', '', element('div', 'line', visible(file.name), element('span', 'facts', size(file.size))), bar);
      byId('uploads').prepend(row);
      queue.push({file, row, bar});
    }
    while (byId('uploads').children.length > 50 && !byId('uploads').lastChild.querySelector('progress')) {
      byId('uploads').lastChild.remove();
    }
    next();
  }

  function next() {
    const job = uploading ? null : queue.shift();
    if (!job) return;
    uploading = true;
    const request = new XMLHttpRequest(); // fetch does not report the progress of an upload
    const end = answer => {
      job.bar.replaceWith(answer);
      enliven(job.row);
      uploading = false;
      next();
    };
    const fail = text => end(element('p', 'reason', text));
    request.upload.onprogress = e => { job.bar.value = e.lengthComputable ? e.loaded / e.total : 0; };
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* the page of a proxy */ }
      if (request.status === 200 && answer.md5_checksum) end(sum('md5', answer.md5_checksum));
      else fail(answer.error || 'The server answered with status ' + request.status);
    };
    request.onerror = () => fail('The connection failed. Folders cannot be uploaded, and a file must not change during its upload.');
    const form = new FormData();
    form.append('file', job.file);
    request.open('POST', 'md5');
    request.send(form);
  }

  const drop = byId('drop'), input = byId('file');
  byId('drop-text').textContent = 'Drop files here, or choose';
  byId('upload-button').hidden = true;
  input.multiple = true;
  input.addEventListener('change', () => {
    enqueue(input.files);
    input.value = '';
  });
  byId('upload').addEventListener('submit', e => e.preventDefault());
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    document.addEventListener(type, e => { // anywhere, because a file dropped beside the form would else replace the page
      if (!e.dataTransfer.types.includes('Files')) return;
      e.preventDefault();
      drop.classList.toggle('over', type === 'dragenter' || type === 'dragover');
      if (type === 'drop') enqueue(e.dataTransfer.files);
    });
  }

  byId('lookup')?.addEventListener('submit', async e => {
    e.preventDefault();
    const answer = byId('lookup-answer');
    try {
      const response = await fetch('records?' + new URLSearchParams(new FormData(e.target)), {cache: 'no-store'});
      const record = await response.json();
      if (!response.ok) throw new Error(record.error);
      const time = element('time');
      time.dateTime = record.computed_at;
      answer.replaceChildren(
        element('div', 'line', visible(record.key), element('span', 'facts', size(record.size), time)),
        ...Object.entries(record.digests).map(([algorithm, value]) => sum(algorithm, value)));
      enliven(answer);
    } catch (err) {
      answer.replaceChildren(element('p', 'reason', err.message));
    }
  });
})();
