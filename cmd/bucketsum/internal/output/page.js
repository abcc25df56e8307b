'use strict';
(() => {
  const table = document.getElementById('rows');
  if (!table) return;
  const body = table.tBodies[0];
  const find = document.getElementById('find');
  const state = document.getElementById('state');
  const shown = document.getElementById('shown');
  const all = shown.textContent;
  const grouped = n => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
  const rows = Array.from(body.rows, (row, place) => ({ row, place, text: row.textContent.toLowerCase() }));

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const r of rows) {
      const fits = (!state.value || r.row.dataset.state === state.value) && words.every(word => r.text.includes(word));
      r.row.hidden = !fits;
      if (fits) n++;
    }
    shown.textContent = n === rows.length ? all : grouped(n) + ' of ' + all;
    document.getElementById('nothing').hidden = n > 0;
  }

  // Cells with data-v are sorted by it, others by their text. Equal rows keep the order in which the page was made.
  const collator = new Intl.Collator('en', { numeric: true });
  function sort(column, head) {
    const direction = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
    const value = r => r.row.cells[column].dataset.v ?? r.row.cells[column].textContent;
    const numeric = head.classList.contains('number') || column === 0;
    const keyed = rows.map(r => ({ r, key: numeric ? Number(value(r)) : value(r) }));
    keyed.sort((a, b) => direction * (numeric ? a.key - b.key : collator.compare(a.key, b.key)) || a.r.place - b.r.place);
    body.append(...keyed.map(k => k.r.row));
  }

  Array.from(table.tHead.rows[0].cells, (head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.addEventListener('click', () => sort(column, head));
    head.append(button);
  });
  find.addEventListener('input', filter);
  state.addEventListener('change', filter);
  const controls = document.getElementById('controls');
  controls.addEventListener('submit', event => event.preventDefault());
  controls.hidden = false;
  filter(); // a browser may have kept what was entered
})();
