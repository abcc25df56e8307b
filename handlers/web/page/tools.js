// visible escapes the same characters as the server, for names that the server does not send.
function visible(text) {
  const name = element('bdi', 'name');
  const hidden = /((?! )[\p{C}\p{Z}])/u;
  for (const part of text.split(hidden)) {
    if (hidden.test(part)) {
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

function sum(algorithm, value) {
  return element('div', 'sum', element('span', 'alg', algorithm), ' ', element('code', '', value));
}

// sums shows digests, and the line that md5sum -c reads, with the escapes of coreutils.
function sums(digests, name) {
  const all = Object.entries(digests).sort(([a], [b]) => a < b ? -1 : 1).map(([algorithm, value]) => sum(algorithm, value));
  if (digests.md5) {
    const escaped = name.replace(/[\\\n\r]/g, c => ({'\\': '\\\\', '\n': '\\n', '\r': '\\r'})[c]);
    const line = sum('md5sum', (escaped === name ? '' : '\\') + digests.md5 + '  ' + escaped);
    line.title = 'the line that md5sum -c reads';
    all.push(line);
  }
  return all;
}

// problem returns why a request failed.
async function problem(response) {
  let answer = {};
  try { answer = await response.json(); } catch { /* the page of a proxy */ }
  const text = [answer.title || answer.error, answer.detail].filter(t => t).join('. ');
  return Object.assign(new Error(text || 'The server answered with status ' + response.status), {status: response.status});
}

// path names an object in the path of a route. Slashes are escaped, too: a browser would shorten a/../b.
function path(bucket, key) {
  return encodeURIComponent(bucket) + '/' + encodeURIComponent(key);
}

// Uploads run one after the other, so that each has the whole bandwidth.
const queue = [];
let uploading = false;
const mostHashed = 256 << 20; // WebCrypto needs the whole file in memory

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

async function next() {
  const job = uploading ? null : queue.shift();
  if (!job) return;
  uploading = true;
  let answer;
  try {
    const put = byId('put')?.checked && byId('put').value;
    const checksums = await (put ? send(job, 'PUT', 'v1/objects/' + path(put, job.file.name) + '?algorithms=md5,sha256', authorization())
      : send(job, 'POST', 'v1/checksums?algorithms=md5,sha256'));
    answer = [...sums(checksums.digests, job.file.name), await compared(job.file, checksums.digests.sha256)];
    if (put) answer.push(element('p', 'note', 'It is in ' + put + ' now.'));
  } catch (err) {
    answer = [element('p', 'reason', err.message)];
    if (err.status === 401) askToken();
  }
  job.bar.replaceWith(...answer);
  enliven(job.row);
  uploading = false;
  next();
}

// send uploads the file of a job. fetch does not report the progress of an upload.
function send(job, method, url, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = e => { job.bar.value = e.lengthComputable ? e.loaded / e.total : 0; };
    request.onload = () => {
      const response = new Response(request.responseText || '{}', {status: request.status || 500});
      if (response.ok) resolve(response.json());
      else problem(response).then(reject);
    };
    request.onerror = () => reject(new Error('The connection failed. Folders cannot be uploaded, and a file must not change during its upload.'));
    request.open(method, url);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(job.file);
  });
}

// compared says whether the browser computes the same SHA-256 from the file as the server from the upload.
async function compared(file, sha256) {
  if (!crypto.subtle) return element('p', 'note', 'Not compared with the browser: it computes only over HTTPS and on localhost.');
  if (file.size > mostHashed) return element('p', 'note', 'Not compared with the browser: it computes only files of up to ' + size(mostHashed) + '.');
  const own = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  const text = [...own].map(b => b.toString(16).padStart(2, '0')).join('');
  if (text === sha256) return element('p', 'agrees', 'The SHA-256 that this browser computed agrees.');
  return element('p', 'reason', 'The SHA-256 that this browser computed differs: ' + text + '. The upload was damaged, or the file changed.');
}

const drop = byId('drop'), input = byId('file');
say(byId('drop-text'), 'Drop files here, or choose');
byId('upload-button').hidden = true;
if (byId('put-label')) byId('put-label').hidden = false;
input.multiple = true;
input.addEventListener('change', () => {
  enqueue([...input.files]);
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
  const answer = byId('lookup-answer'), form = new FormData(e.target);
  try {
    const response = await fetch('v1/records/' + path(form.get('bucket'), form.get('key')), {cache: 'no-store'});
    if (!response.ok) throw await problem(response);
    const record = await response.json(), time = element('time');
    time.dateTime = record.computed_at;
    const checks = record.checks.map(c => element('li', c.outcome === 'mismatch' ? 'reason' : '',
      {match: 'agrees with ', mismatch: 'DIFFERS from ', unchecked: 'could not be compared with '}[c.outcome] + c.name + ' (' + c.algorithm + ')'));
    answer.replaceChildren(
      element('div', 'line', visible(record.key), element('span', 'facts', size(record.size), time)),
      ...sums(record.digests, record.key.split('/').pop()),
      checks.length ? element('ul', 'checks', ...checks) : element('p', 'note', 'Its store states no checksum to compare with.'));
    enliven(answer);
  } catch (err) {
    answer.replaceChildren(element('p', 'reason', err.message));
  }
});

// Actions on failures. The token stays in memory.
let token = '';
const authorization = () => token ? {Authorization: 'Bearer ' + token} : {};

function askToken() {
  token = '';
  byId('token').hidden = false;
  byId('token').elements.token.focus();
}

// acted says what the report of an action has.
function acted(report) {
  const parts = [];
  if (report.sent) parts.push(report.sent + ' sent back to the queue');
  if (report.discarded) parts.push(report.discarded + ' dismissed');
  if (report.failed) parts.push(report.failed + ' could not be: ' + report.groups.map(g => g.fault).find(f => f));
  return parts.join(', ') || 'No dead letter of these was found: others may hold them now. Try again in a minute.';
}

document.addEventListener('click', async e => {
  const button = e.target.closest?.('[data-action]');
  if (!button) return;
  if (document.body.dataset.actions === 'token' && !token) {
    askToken();
    return;
  }
  if (button.dataset.action === 'discard' && button.textContent === 'Dismiss') {
    button.textContent = 'Dismiss for good?';
    setTimeout(() => say(button, 'Dismiss'), 4000);
    return;
  }
  button.disabled = true;
  let text;
  try {
    const response = await fetch('v1/dead-letters/' + button.dataset.action, {
      method: 'POST', headers: {'Content-Type': 'application/json', ...authorization()}, body: JSON.stringify({match: JSON.parse(button.dataset.match)}),
    });
    if (!response.ok) throw await problem(response);
    text = acted(await response.json());
  } catch (err) {
    text = err.message;
    if (err.status === 401) askToken();
  }
  button.disabled = false;
  if (button.dataset.action === 'discard') say(button, 'Dismiss'); // after a refusal the next press asks again
  say(byId('said'), text);
  say(byId('acted'), text);
  button.blur();
  refresh();
});

byId('token')?.addEventListener('submit', e => {
  e.preventDefault();
  token = e.target.elements.token.value;
  e.target.elements.token.value = '';
  e.target.hidden = true;
  say(byId('said'), 'The token is used from now on');
});
