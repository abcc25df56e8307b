const byId = id => document.getElementById(id);

// element makes an element from text and other elements, never from markup.
function element(tag, className, ...content) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...content);
  return e;
}

// say changes a text only if it differs, because screen readers read every change of a status aloud.
function say(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// enliven adds the buttons that copy checksums, and shows times in the viewer's time zone.
function enliven(root) {
  for (const sum of root.querySelectorAll('.sum')) {
    const button = element('button', 'copy quiet', 'Copy');
    button.type = 'button';
    button.setAttribute('aria-label', 'Copy ' + sum.querySelector('.alg').textContent + ' ' + sum.querySelector('code').textContent);
    sum.append(button);
  }
  for (const time of root.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    time.title = at.toString();
    time.textContent = today ? at.toLocaleTimeString() : at.toLocaleString();
  }
  if (document.body.dataset.actions) for (const e of root.querySelectorAll('[data-acts]')) e.hidden = false;
}

async function copy(button) {
  const code = button.parentElement.querySelector('code');
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch { // browsers offer it only over HTTPS and on localhost
    getSelection().selectAllChildren(code);
    if (!document.execCommand('copy')) return;
  }
  say(byId('said'), 'Copied ' + code.textContent);
  say(button, 'Copied');
  setTimeout(() => say(button, 'Copy'), 1200);
}

document.addEventListener('click', e => {
  const button = e.target.closest?.('.copy');
  if (button) copy(button);
});

// The script fetches the page again and replaces what changed, place by place: nothing moves, and an element whose
// source is the same stays, with its focus and selection.
const source = new WeakMap();

function update(list, fresh) {
  const old = [...list.children], now = [...fresh.children];
  now.forEach((e, i) => {
    if (old[i] && source.get(old[i]) === e.outerHTML) return;
    const text = e.outerHTML, next = document.importNode(e, true);
    source.set(next, text);
    enliven(next);
    for (const details of next.querySelectorAll('details')) {
      details.open = !!list.querySelector('#' + details.id + '[open]');
    }
    if (old[i]) old[i].replaceWith(next);
    else list.append(next);
  });
  for (const e of old.slice(now.length)) e.remove();
}

// held reports whether the reader is at work in a list that would change under their hands.
function held(list) {
  return list.id !== 'state' && (list.contains(document.activeElement) || !getSelection().isCollapsed && list.contains(getSelection().anchorNode) ||
    list.id === 'results' && matchMedia('(hover: hover)').matches && list.matches(':hover'));
}

let title = document.title, tag = '', timer = 0, asking = false, again = false, tone = '', lastWork = 0;

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const live = byId('live');
  let wait = stream?.readyState === 1 ? 10000 : 2000; // with events, only what they do not tell
  try {
    const response = await fetch(location.pathname + location.search, {
      cache: 'no-store', headers: tag ? {'If-None-Match': tag} : {}, signal: AbortSignal.timeout(10000),
    });
    if (response.status === 200) {
      show(new DOMParser().parseFromString(await response.text(), 'text/html'), response.headers.get('ETag') || '');
    } else if (response.status !== 304) {
      throw new Error('status ' + response.status);
    }
    live.className = 'on';
    say(live, 'live');
    byId('state').classList.remove('stale');
    document.title = title;
  } catch {
    wait = 5000;
    live.className = 'off';
    say(live, 'no connection: this is how it was at ' + shownAt.toLocaleTimeString());
    byId('state').classList.add('stale');
    document.title = 'No connection – bucketsum';
    say(byId('said'), 'No connection to bucketsum');
  }
  asking = false;
  timer = setTimeout(refresh, again ? 1000 : wait);
  again = false;
}

let shownAt = new Date();

function show(fresh, freshTag) {
  let all = true;
  for (const list of document.querySelectorAll('[data-live]')) {
    const now = fresh.getElementById(list.id);
    if (now && held(list)) all = false;
    else if (now) update(list, now);
  }
  say(byId('held'), all ? '' : 'held while you are here');
  for (const section of document.querySelectorAll('[data-live-hidden]')) {
    section.hidden = fresh.getElementById(section.id)?.hidden ?? true;
  }
  keepRoom();
  title = fresh.title;
  shownAt = new Date();
  tag = all ? freshTag : '';
  const newTone = byId('state').firstElementChild.className;
  if (newTone !== tone && tone) say(byId('said'), byId('state').textContent);
  tone = newTone;
}

// keepRoom keeps the height of the list of work for a while, so that nothing below it jumps when objects come and go.
function keepRoom() {
  const section = byId('work-section');
  if (!section.hidden) {
    lastWork = Date.now();
    const height = section.offsetHeight + 'px';
    if (parseInt(height) > parseInt(section.style.minHeight || 0)) section.style.minHeight = height;
  } else if (Date.now() - lastWork < 10000) {
    section.hidden = false;
  } else {
    section.style.minHeight = '';
  }
}

let stream = null, waiting = 0;

// listen receives when the page has changed. The page is fetched at most once in a second.
function listen() {
  if (document.hidden) {
    stream?.close();
    stream = null;
  } else if (!stream && 'events' in document.body.dataset) {
    stream = new EventSource('v1/events?only=status');
    stream.addEventListener('status', () => {
      if (!waiting) waiting = setTimeout(() => { waiting = 0; refresh(); }, 1000);
    });
    stream.addEventListener('error', () => {
      if (stream?.readyState === 2) stream = null; // refused: the page is polled
      refresh();
    });
  }
  refresh();
}

for (const e of document.querySelectorAll('[data-live] > *')) source.set(e, e.outerHTML);
enliven(document);
if (byId('live')) {
  document.addEventListener('visibilitychange', listen);
  listen();

  // The filter shows its results without a new page.
  const filter = byId('filter');
  filter.querySelector('button').hidden = true;
  let typing = 0;
  const search = () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const query = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value));
      history.replaceState(null, '', location.pathname + (query.size ? '?' + query : ''));
      tag = '';
      refresh();
    }, 150);
  };
  filter.addEventListener('input', search);
  filter.addEventListener('submit', e => {
    e.preventDefault();
    search();
  });
}
